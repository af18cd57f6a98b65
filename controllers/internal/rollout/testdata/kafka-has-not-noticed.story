Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 1 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
When broker 100 has crashed a moment ago, and 101 and 102 need a restart:
pass   1: broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 100,101,102) would be left with 1 in sync without broker 101, and min.insync.replicas is 2 (not up: 100).
          broker 102 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 100,101,102) would be left with 1 in sync without broker 102, and min.insync.replicas is 2 (not up: 100).
pass   2: broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 101, and min.insync.replicas is 2.
          broker 102 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 102, and min.insync.replicas is 2.
          broker 100 is ready.
pass   3: restart broker 101: new image.
          broker 102 waits, Queued: broker 101 is restarted first.
pass   4: broker 102 waits, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass   5: restart broker 102: new image.
          broker 102 is ready.
The rollout is over after 6 passes.
