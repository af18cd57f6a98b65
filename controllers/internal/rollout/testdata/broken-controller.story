Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 3 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
When controller 2 is broken for good, and all nodes need a restart:
pass   1: repair controller 2: configuration 1 instead of 0.
          controller 1, controller 0, broker 100, broker 101, broker 102 wait, RestartInProgress: controller 2 is repaired first.
pass   2: controller 1, controller 0, broker 100, broker 101, broker 102 wait, RestartInProgress: controller 2 is not back yet.
          controller 2 crash-loops.
pass   3: restart broker 100: configuration 1 instead of 0.
          controller 1, controller 0 wait, QuorumMajority: of the 3 voters, 1 would be left that are caught up, which is no majority: controller 2 is not ready.
          broker 101, broker 102 wait, Queued: broker 100 is restarted first.
pass   4: controller 1, controller 0, broker 101, broker 102 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass   5: restart broker 101: configuration 1 instead of 0.
          controller 1, controller 0 wait, QuorumMajority: of the 3 voters, 1 would be left that are caught up, which is no majority: controller 2 is not ready.
          broker 102 waits, Queued: broker 101 is restarted first.
pass   6: controller 1, controller 0, broker 102 wait, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass   7: restart broker 102: configuration 1 instead of 0.
          controller 1, controller 0 wait, QuorumMajority: of the 3 voters, 1 would be left that are caught up, which is no majority: controller 2 is not ready.
pass   8: controller 1, controller 0 wait, RestartInProgress: broker 102 is not back yet.
          broker 102 is ready.
pass   9: controller 1, controller 0 wait, QuorumMajority: of the 3 voters, 1 would be left that are caught up, which is no majority: controller 2 is not ready.
Nothing else happens.
