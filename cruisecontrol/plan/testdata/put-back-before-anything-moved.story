Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 103 is removed from the spec, while Cruise Control does not begin:
- create orders-remove-brokers-592c81ac1f: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Pending.
When it is put back:
- delete orders-remove-brokers-592c81ac1f: back in the spec: broker 103.
  data is not placed, Withdrawing: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being cancelled.
- data is placed.
When it is removed again:
- create orders-remove-brokers-592c81ac1f: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Pending.
