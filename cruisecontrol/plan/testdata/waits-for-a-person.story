Given the brokers 100 to 103, with 32 replicas of a topic.
- create orders-remove-brokers-592c81ac1f: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being made.
When the plan of an operation is to be approved:
- data is not placed, AwaitingApproval: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, waits for the approval of its plan.
When a person suspends it:
- data is not placed, Suspended: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is suspended (spec.suspend).
