Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 103 is removed, put back in the middle of it, and removed again:
- create orders-remove-brokers-592c81ac1f: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Queued.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Executing.
- cancel orders-remove-brokers-592c81ac1f: back in the spec: broker 103.
  data is not placed, Withdrawing: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being cancelled.
- create orders-add-brokers-79accdb180: broker 103 waiting for data.
  data is not placed, Moving: operation orders-add-brokers-79accdb180, which moves data onto broker 103, is being made.
- data is not placed, Moving: operation orders-add-brokers-79accdb180 moves data onto broker 103: Queued.
- cancel orders-add-brokers-79accdb180: no longer in the spec: broker 103.
  data is not placed, Withdrawing: operation orders-add-brokers-79accdb180, which moves data onto broker 103, is being cancelled.
- create orders-remove-brokers-84983f01e7: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-84983f01e7, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-84983f01e7 moves all replicas off broker 103: Queued.
- data is not placed, Moving: operation orders-remove-brokers-84983f01e7 moves all replicas off broker 103: Executing.
- data is placed.
