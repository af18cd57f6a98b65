Given the brokers 100 to 103, with 32 replicas of a topic.
When all brokers get disk b instead of disk a:
- create orders-remove-disks-69edcc63ca: /var/lib/kafka/a of brokers 100, 101, 102, 103 no longer in the spec, not known to be empty.
  data is not placed, Moving: operation orders-remove-disks-69edcc63ca, which moves all replicas off /var/lib/kafka/a of brokers 100, 101, 102, 103, is being made.
- data is not placed, Moving: operation orders-remove-disks-69edcc63ca moves all replicas off /var/lib/kafka/a of brokers 100, 101, 102, 103: Queued.
- data is not placed, Moving: operation orders-remove-disks-69edcc63ca moves all replicas off /var/lib/kafka/a of brokers 100, 101, 102, 103: Executing.
- data is placed.
