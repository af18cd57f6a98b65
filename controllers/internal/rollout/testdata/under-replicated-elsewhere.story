Given the controller 0 and the brokers 100 to 105.
Given the topic orders: 1 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
Given the topic invoices: 1 partitions on [103 104 105], replication factor 3, min.insync.replicas 2.
Given that broker 100 is broken for good: it crash-loops.
          broker 100 crash-loops.
When every node needs a restart:
pass   5: repair broker 100: configuration 1 instead of 0.
          controller 0, broker 101, broker 102, broker 103, broker 104, broker 105 wait, RestartInProgress: broker 100 is repaired first.
pass   6: controller 0, broker 101, broker 102, broker 103, broker 104, broker 105 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 crash-loops.
pass   7: restart controller 0: configuration 1 instead of 0.
          Nobody can keep the majority of the quorum meanwhile.
          broker 101, broker 102, broker 103, broker 104, broker 105 wait, ControllersFirst: controller 0 comes before the brokers.
pass   8: broker 101, broker 102, broker 103, broker 104, broker 105 wait, NoQuorumLeader: the metadata quorum has no leader.
          controller 0 is ready.
pass   9: restart broker 103: configuration 1 instead of 0.
          broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 101, and min.insync.replicas is 2.
          broker 102 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 102, and min.insync.replicas is 2.
          broker 104, broker 105 wait, Queued: broker 103 is restarted first.
pass  10: broker 101, broker 102, broker 104, broker 105 wait, RestartInProgress: broker 103 is not back yet.
          broker 103 is ready.
pass  11: restart broker 104: configuration 1 instead of 0.
          broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 101, and min.insync.replicas is 2.
          broker 102 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 102, and min.insync.replicas is 2.
          broker 105 waits, Queued: broker 104 is restarted first.
pass  12: broker 101, broker 102, broker 105 wait, RestartInProgress: broker 104 is not back yet.
          broker 104 is ready.
pass  13: restart broker 105: configuration 1 instead of 0.
          broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 101, and min.insync.replicas is 2.
          broker 102 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 102, and min.insync.replicas is 2.
pass  14: broker 101, broker 102 wait, RestartInProgress: broker 105 is not back yet.
          broker 105 is ready.
pass  15: broker 101 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 101, and min.insync.replicas is 2.
          broker 102 waits, MinInSyncReplicas: orders-0 (replicas 100,101,102, in sync 101,102) would be left with 1 in sync without broker 102, and min.insync.replicas is 2.
Nothing else happens.
When broker 100 is mended:
pass  21: broker 101, broker 102 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass  22: restart broker 101: configuration 1 instead of 0.
          broker 102 waits, Queued: broker 101 is restarted first.
pass  23: broker 102 waits, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass  24: restart broker 102: configuration 1 instead of 0.
          broker 102 is ready.
The rollout is over after 25 passes.
