Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 104 is added, and has a few replicas of a new topic at once:
- create orders-add-brokers-2831019ed2: broker 104 waiting for data.
  data is not placed, Moving: operation orders-add-brokers-2831019ed2, which moves data onto broker 104, is being made.
- data is not placed, Moving: operation orders-add-brokers-2831019ed2 moves data onto broker 104: Pending.
