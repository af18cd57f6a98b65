Given the brokers 100 to 103, with 32 replicas of a topic.
When disk b is removed, and put back when the operation has begun:
- create orders-remove-disks-ba7d0c66b7: /var/lib/kafka/b of brokers 100, 101, 102, 103 no longer in the spec, not known to be empty.
  data is not placed, Moving: operation orders-remove-disks-ba7d0c66b7, which moves all replicas off /var/lib/kafka/b of brokers 100, 101, 102, 103, is being made.
- data is not placed, Moving: operation orders-remove-disks-ba7d0c66b7 moves all replicas off /var/lib/kafka/b of brokers 100, 101, 102, 103: Queued.
- data is not placed, Moving: operation orders-remove-disks-ba7d0c66b7 moves all replicas off /var/lib/kafka/b of brokers 100, 101, 102, 103: Executing.
- cancel orders-remove-disks-ba7d0c66b7: back in the spec: /var/lib/kafka/b of brokers 100, 101, 102, 103.
  data is not placed, Withdrawing: operation orders-remove-disks-ba7d0c66b7, which moves all replicas off /var/lib/kafka/b of brokers 100, 101, 102, 103, is being cancelled.
- create orders-rebalance-disks-2b59610276: /var/lib/kafka/b of brokers 100, 101, 102, 103 waiting for data.
  data is not placed, Moving: operation orders-rebalance-disks-2b59610276, which moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103, is being made.
- data is not placed, Moving: operation orders-rebalance-disks-2b59610276 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Queued.
- data is not placed, Moving: operation orders-rebalance-disks-2b59610276 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Executing.
- data is placed.
