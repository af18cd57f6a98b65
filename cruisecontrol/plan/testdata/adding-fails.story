Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 104 is added, and Cruise Control cannot do it:
- create orders-add-brokers-2831019ed2: broker 104 waiting for data.
  data is not placed, Moving: operation orders-add-brokers-2831019ed2, which moves data onto broker 104, is being made.
- data is not placed, Moving: operation orders-add-brokers-2831019ed2 moves data onto broker 104: Queued.
- data is not placed, OperationFailed: operation orders-add-brokers-2831019ed2, which moves data onto broker 104, failed: [RackAwareGoal] Insufficient number of racks; it is not repeated by itself: delete it, and a new one is made.
When a person's operation does it:
- data is placed.
