Given the brokers 100 to 103, with 32 replicas of a topic.
- create orders-rebalance-disks-0a67bcdc76: /var/lib/kafka/b of brokers 100, 101, 102, 103 waiting for data.
  data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76, which moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103, is being made.
- data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Queued.
- data is not placed, Moving: operation orders-rebalance-disks-0a67bcdc76 moves data onto /var/lib/kafka/b of brokers 100, 101, 102, 103: Executing.
- data is placed.
When disk a of broker 103 fails:
- data is not placed, ReplicasOffline: broker 103 holding replicas that are offline, on a disk that has failed; they are made again elsewhere if the disk is not back 5m0s after it failed.
- create orders-fix-offline-replicas-214bd1a1fb: broker 103 holding replicas that are offline, on a disk that has failed.
  data is not placed, Moving: operation orders-fix-offline-replicas-214bd1a1fb, which makes the replicas again elsewhere that are offline on broker 103, is being made.
- data is not placed, Moving: operation orders-fix-offline-replicas-214bd1a1fb makes the replicas again elsewhere that are offline on broker 103: Queued.
- data is not placed, Moving: operation orders-fix-offline-replicas-214bd1a1fb makes the replicas again elsewhere that are offline on broker 103: Executing.
- data is placed.
