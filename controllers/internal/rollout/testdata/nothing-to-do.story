Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 3 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
The rollout is over after 3 passes.
