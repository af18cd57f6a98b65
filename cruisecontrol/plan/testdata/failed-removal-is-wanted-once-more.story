Given the brokers 100 to 103, with 32 replicas of a topic.
- create orders-remove-brokers-592c81ac1f: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Queued.
- data is not placed, OperationFailed: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
When the broker is put back, and removed again:
- cancel orders-remove-brokers-592c81ac1f: back in the spec: broker 103.
- data is placed.
- create orders-remove-brokers-84983f01e7: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-84983f01e7, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-84983f01e7 moves all replicas off broker 103: Queued.
- data is not placed, Moving: operation orders-remove-brokers-84983f01e7 moves all replicas off broker 103: Executing.
- data is placed.
