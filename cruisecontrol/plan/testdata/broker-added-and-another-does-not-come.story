Given the brokers 100 to 103, with 32 replicas of a topic.
When brokers 104 and 105 are added, and broker 105 cannot start:
- data is not placed, BrokersArriving: broker 104 waiting for data; first broker 105 should be there.
- create orders-add-brokers-2831019ed2: broker 104 waiting for data.
  data is not placed, Moving: operation orders-add-brokers-2831019ed2, which moves data onto broker 104, is being made.
- data is not placed, Moving: operation orders-add-brokers-2831019ed2 moves data onto broker 104: Queued.
- data is not placed, Moving: operation orders-add-brokers-2831019ed2 moves data onto broker 104: Executing.
- data is placed.
When broker 105 can start:
- create orders-add-brokers-4de1e053e2: broker 105 waiting for data.
  data is not placed, Moving: operation orders-add-brokers-4de1e053e2, which moves data onto broker 105, is being made.
- data is not placed, Moving: operation orders-add-brokers-4de1e053e2 moves data onto broker 105: Queued.
- data is not placed, Moving: operation orders-add-brokers-4de1e053e2 moves data onto broker 105: Executing.
- data is placed.
