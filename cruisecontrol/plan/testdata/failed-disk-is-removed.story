Given the brokers 100 to 103, with 32 replicas of a topic.
- create orders-rebalance-disks-0a67bcdc76: /var/lib/kafka/b of brokers 100, 101, 102, 103 waiting for data.
  data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76, which moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103, is being made.
- data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Queued.
- data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Executing.
- data is placed.
When disk a has failed on broker 100, and is removed from all brokers:
- create orders-remove-disks-52d4d373fe: /var/lib/kafka/a of brokers 101, 102, 103 no longer in the spec, not known to be empty.
  data is not placed, ReplicasOffline: broker 100 holding replicas that are offline, on a disk that has failed; they are made again elsewhere if the disk is not back 5m0s after it failed.
  data is not placed, Moving: operation orders-remove-disks-52d4d373fe, which moves all replicas off /var/lib/kafka/a of brokers 101, 102, 103, is being made.
- data is not placed, ReplicasOffline: broker 100 holding replicas that are offline, on a disk that has failed; they are made again elsewhere if the disk is not back 5m0s after it failed.
  data is not placed, Moving: operation orders-remove-disks-52d4d373fe moves all replicas off /var/lib/kafka/a of brokers 101, 102, 103: Queued.
