Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 3 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
When all brokers need a restart, for a property that no broker starts with:
pass   1: restart broker 100: configuration 1 instead of 0.
          broker 101, broker 102 wait, Queued: broker 100 is restarted first.
pass   2: broker 101, broker 102 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 crash-loops.
pass   3: broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) (and 2 more) would be left with 1 in sync without broker 101, and min.insync.replicas is 2.
          broker 102 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) (and 2 more) would be left with 1 in sync without broker 102, and min.insync.replicas is 2.
Nothing else happens.
When the property is corrected:
pass   9: repair broker 100: configuration 2 instead of 1.
          broker 101, broker 102 wait, RestartInProgress: broker 100 is repaired first.
pass  10: broker 101, broker 102 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass  11: restart broker 101: configuration 2 instead of 0.
          broker 102 waits, Queued: broker 101 is restarted first.
pass  12: broker 102 waits, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass  13: restart broker 102: configuration 2 instead of 0.
          broker 102 is ready.
The rollout is over after 14 passes.
