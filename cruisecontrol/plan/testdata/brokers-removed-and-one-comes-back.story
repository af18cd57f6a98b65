Given the brokers 100 to 103, with 32 replicas of a topic.
When brokers 102 and 103 are removed from the spec:
- create orders-remove-brokers-e38cab45cd: brokers 102, 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-e38cab45cd moves all replicas off brokers 102, 103: Queued.
- data is not placed, Moving: operation orders-remove-brokers-e38cab45cd moves all replicas off brokers 102, 103: Executing.
When broker 103 is put back in the middle of it:
- create orders-remove-brokers-cd5f48bad0: broker 102 no longer in the spec, still holding replicas.
  cancel orders-remove-brokers-e38cab45cd: back in the spec: broker 103.
  data is not placed, Moving: operation orders-remove-brokers-cd5f48bad0, which moves all replicas off broker 102, is being made.
  data is not placed, Withdrawing: operation orders-remove-brokers-e38cab45cd, which moves all replicas off brokers 102, 103, is being cancelled.
- create orders-add-brokers-79accdb180: broker 103 waiting for data.
  data is not placed, Moving: operation orders-remove-brokers-cd5f48bad0 moves all replicas off broker 102: Queued.
  data is not placed, Moving: operation orders-add-brokers-79accdb180, which moves data onto broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-cd5f48bad0 moves all replicas off broker 102: Executing.
  data is not placed, Moving: operation orders-add-brokers-79accdb180 moves data onto broker 103: Pending.
- data is not placed, Moving: operation orders-add-brokers-79accdb180 moves data onto broker 103: Pending.
- data is not placed, Moving: operation orders-add-brokers-79accdb180 moves data onto broker 103: Queued.
- data is not placed, Moving: operation orders-add-brokers-79accdb180 moves data onto broker 103: Executing.
- data is placed.
