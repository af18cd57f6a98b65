Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 102 is removed from the spec:
- create orders-remove-brokers-c4f1c8f48f: broker 102 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-c4f1c8f48f, which moves all replicas off broker 102, is being made.
- data is not placed, Moving: operation orders-remove-brokers-c4f1c8f48f moves all replicas off broker 102: Queued.
- data is not placed, Moving: operation orders-remove-brokers-c4f1c8f48f moves all replicas off broker 102: Executing.
- data is placed.
