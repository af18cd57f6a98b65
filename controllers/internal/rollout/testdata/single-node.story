Given the combined node 0 alone.
Given the topic orders: 3 partitions on [0], replication factor 1, min.insync.replicas 1.
When every node needs a restart:
pass   1: restart broker 0: configuration 1 instead of 0.
          Nobody can keep the majority of the quorum meanwhile.
          Nobody can keep 3 of its partitions writable meanwhile (3 are still to come, such as orders-0, orders-1, orders-2).
          broker 0 is ready.
The rollout is over after 2 passes.
