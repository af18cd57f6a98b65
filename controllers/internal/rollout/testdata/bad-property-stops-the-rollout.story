Given the controller 0 and the brokers 100 to 105.
Given that a node counts as on its way back if it crash-loops just after its restart.
Given the topic scratch: 6 partitions on [100 101 102 103 104 105], replication factor 1, min.insync.replicas 1.
When brokers need a restart, for a property that no broker starts with:
pass   1: restart broker 100: configuration 1 instead of 0.
          broker 101, broker 102, broker 103, broker 104, broker 105 wait, Queued: broker 100 is restarted first.
          Nobody can keep 1 of its partitions writable meanwhile (6 are still to come, such as scratch-0, scratch-1, scratch-2).
pass   2: broker 101, broker 102, broker 103, broker 104, broker 105 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 crash-loops.
Nothing else happens.
