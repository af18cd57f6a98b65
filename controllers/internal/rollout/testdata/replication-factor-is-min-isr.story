Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic ledger: 3 partitions on [100 101 102], replication factor 2, min.insync.replicas 2.
When every node needs a restart:
pass   1: restart controller 1: configuration 1 instead of 0.
          controller 2 waits, Queued: controller 1 is restarted first.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 1.
          broker 100, broker 101, broker 102 wait, ControllersFirst: controller 1 comes before the brokers.
pass   2: controller 2, controller 0, broker 100, broker 101, broker 102 wait, RestartInProgress: controller 1 is not back yet.
          controller 1 is ready.
pass   3: restart controller 2: configuration 1 instead of 0.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 2.
          broker 100, broker 101, broker 102 wait, ControllersFirst: controller 2 comes before the brokers.
pass   4: controller 0, broker 100, broker 101, broker 102 wait, RestartInProgress: controller 2 is not back yet.
          controller 2 is ready.
pass   5: restart controller 0: configuration 1 instead of 0.
          broker 100, broker 101, broker 102 wait, ControllersFirst: controller 0 comes before the brokers.
pass   6: broker 100, broker 101, broker 102 wait, RestartInProgress: controller 0 is not back yet.
          controller 0 is ready.
pass   7: restart broker 100: configuration 1 instead of 0.
          broker 101, broker 102 wait, Queued: broker 100 is restarted first.
          Nobody can keep 2 of its partitions writable meanwhile (3 are still to come, such as ledger-0, ledger-1, ledger-2).
pass   8: broker 101, broker 102 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
When broker 102 crashes:
pass   9: broker 101 waits, MinInSyncReplicas: ledger-1 (replicas 101,102, in sync 101,102) would be left with 0 in sync without broker 101, and min.insync.replicas is 2 (not up: 102).
          broker 102 waits, Joining: broker 102 is not ready and may be recovering its logs.
pass  10: broker 102 waits, Joining: broker 102 is not ready and may be recovering its logs.
          broker 101 waits, MinInSyncReplicas: ledger-1 (replicas 101,102, in sync 101) would be left with 0 in sync without broker 101, and min.insync.replicas is 2.
          broker 102 is ready.
pass  15: restart broker 101: configuration 1 instead of 0.
          broker 102 waits, Queued: broker 101 is restarted first.
          Nobody can keep 2 of its partitions writable meanwhile (3 are still to come, such as ledger-0, ledger-1, ledger-2).
pass  16: broker 102 waits, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass  17: restart broker 102: configuration 1 instead of 0.
          Nobody can keep 2 of its partitions writable meanwhile (2 are still to come, such as ledger-1, ledger-2).
          broker 102 is ready.
The rollout is over after 18 passes.
