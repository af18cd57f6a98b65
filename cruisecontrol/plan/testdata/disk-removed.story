Given the brokers 100 to 103, with 32 replicas of a topic.
- create orders-rebalance-disks-0a67bcdc76: /var/lib/kafka/b of brokers 100, 101, 102, 103 waiting for data.
  data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76, which moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103, is being made.
- data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Queued.
- data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Executing.
- data is placed.
When disk b is removed from all brokers:
- create orders-remove-disks-ba7d0c66b7: /var/lib/kafka/b of brokers 100, 101, 102, 103 no longer in the spec, not known to be empty.
  data is not placed, Moving: operation orders-remove-disks-ba7d0c66b7, which moves all replicas off /var/lib/kafka/b of brokers 100, 101, 102, 103, is being made.
- data is not placed, Moving: operation orders-remove-disks-ba7d0c66b7 moves all replicas off /var/lib/kafka/b of brokers 100, 101, 102, 103: Queued.
- data is not placed, Moving: operation orders-remove-disks-ba7d0c66b7 moves all replicas off /var/lib/kafka/b of brokers 100, 101, 102, 103: Executing.
- data is placed.
