Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 1 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
When 102 cannot replicate because of its configuration, and all brokers need a restart to correct it:
pass   1: restart broker 102: replica.fetch.max.bytes corrected.
          broker 100 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 100,101) would be left with 1 in sync without broker 100, and min.insync.replicas is 2.
          broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 100,101) would be left with 1 in sync without broker 101, and min.insync.replicas is 2.
pass   2: broker 100, broker 101 wait, RestartInProgress: broker 102 is not back yet.
          broker 102 is ready.
pass   3: broker 100, broker 101 wait, CatchingUp: broker 102 is not in sync with orders-0 (replicas 100,101,102, in sync 100,101) yet.
pass   4: restart broker 100: replica.fetch.max.bytes corrected.
          broker 101 waits, Queued: broker 100 is restarted first.
pass   5: broker 101 waits, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass   6: restart broker 101: replica.fetch.max.bytes corrected.
          broker 101 is ready.
The rollout is over after 7 passes.
