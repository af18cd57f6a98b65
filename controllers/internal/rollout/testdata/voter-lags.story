Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 3 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
When controller 2 lags, and all others need a restart:
pass   1: controller 1, controller 0 wait, QuorumMajority: of the 3 voters, 1 would be left that are caught up, which is no majority: controller 2 is 42000 records behind.
          broker 100, broker 101, broker 102 wait, ControllersFirst: controller 1 comes before the brokers.
When controller 2 catches up:
pass   4: restart controller 1: configuration 1 instead of 0.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 1.
          broker 100, broker 101, broker 102 wait, ControllersFirst: controller 1 comes before the brokers.
pass   5: controller 0, broker 100, broker 101, broker 102 wait, RestartInProgress: controller 1 is not back yet.
          controller 1 is ready.
pass   6: restart controller 0: configuration 1 instead of 0.
          broker 100, broker 101, broker 102 wait, ControllersFirst: controller 0 comes before the brokers.
pass   7: broker 100, broker 101, broker 102 wait, RestartInProgress: controller 0 is not back yet.
          controller 0 is ready.
pass   8: restart broker 100: configuration 1 instead of 0.
          broker 101, broker 102 wait, Queued: broker 100 is restarted first.
pass   9: broker 101, broker 102 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass  10: restart broker 101: configuration 1 instead of 0.
          broker 102 waits, Queued: broker 101 is restarted first.
pass  11: broker 102 waits, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass  12: restart broker 102: configuration 1 instead of 0.
          broker 102 is ready.
The rollout is over after 13 passes.
