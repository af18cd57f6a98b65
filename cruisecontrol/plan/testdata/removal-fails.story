Given the brokers 100 to 103, with 32 replicas of a topic.
When brokers 102 and 103 are removed from the spec, and Cruise Control cannot do it:
- create orders-remove-brokers-e38cab45cd: brokers 102, 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-e38cab45cd moves all replicas off brokers 102, 103: Queued.
- data is not placed, OperationFailed: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
When broker 101 is removed, too:
- create orders-remove-brokers-83e77d636e: broker 101 no longer in the spec, still holding replicas.
  data is not placed, OperationFailed: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
  data is not placed, Moving: operation orders-remove-brokers-83e77d636e, which moves all replicas off broker 101, is being made.
- data is not placed, OperationFailed: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
  data is not placed, Moving: operation orders-remove-brokers-83e77d636e moves all replicas off broker 101: Queued.
- data is not placed, OperationFailed: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
  data is not placed, Moving: operation orders-remove-brokers-83e77d636e moves all replicas off broker 101: Executing.
- data is not placed, OperationFailed: operation orders-remove-brokers-83e77d636e, which moves all replicas off broker 101, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
  data is not placed, OperationFailed: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
When broker 102 is put back, so that less is to be moved:
- create orders-remove-brokers-84983f01e7: broker 103 no longer in the spec, still holding replicas.
  cancel orders-remove-brokers-e38cab45cd: back in the spec: broker 102.
  data is not placed, OperationFailed: operation orders-remove-brokers-83e77d636e, which moves all replicas off broker 101, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
  data is not placed, Moving: operation orders-remove-brokers-84983f01e7, which moves all replicas off broker 103, is being made.
- data is not placed, OperationFailed: operation orders-remove-brokers-83e77d636e, which moves all replicas off broker 101, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
  data is not placed, Moving: operation orders-remove-brokers-84983f01e7 moves all replicas off broker 103: Queued.
- data is not placed, OperationFailed: operation orders-remove-brokers-83e77d636e, which moves all replicas off broker 101, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
  data is not placed, Moving: operation orders-remove-brokers-84983f01e7 moves all replicas off broker 103: Executing.
- data is not placed, OperationFailed: operation orders-remove-brokers-83e77d636e, which moves all replicas off broker 101, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
