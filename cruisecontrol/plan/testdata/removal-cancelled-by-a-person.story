Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 103 is removed from the spec:
- create orders-remove-brokers-592c81ac1f: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Queued.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Executing.
When a person cancels the operation:
- data is not placed, Withdrawing: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being cancelled.
- data is not placed, OperationFailed: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, was cancelled; it is not repeated by itself: delete it, and a new one is made.
