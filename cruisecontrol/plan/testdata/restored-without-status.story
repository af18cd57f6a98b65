Given the brokers 100 to 103, with 32 replicas of a topic.
When the KafkaCluster is made again, without broker 103 and without a status:
- 0 operations are made, 0 are deleted.
When broker-manager has found broker 103, and says that it drains:
- create orders-remove-brokers-279e8de479: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-279e8de479, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-279e8de479 moves all replicas off broker 103: Queued.
- data is not placed, Moving: operation orders-remove-brokers-279e8de479 moves all replicas off broker 103: Executing.
