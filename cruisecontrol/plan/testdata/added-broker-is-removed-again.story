Given the brokers 100 to 103, with 32 replicas of a topic.
When brokers 104 and 105 are added:
- create orders-add-brokers-16de744740: brokers 104, 105 waiting for data.
  data is not placed, Moving: operation orders-add-brokers-16de744740, which moves data onto brokers 104, 105, is being made.
- data is not placed, Moving: operation orders-add-brokers-16de744740 moves data onto brokers 104, 105: Queued.
- data is not placed, Moving: operation orders-add-brokers-16de744740 moves data onto brokers 104, 105: Executing.
When broker 105 is removed in the middle of it:
- create orders-add-brokers-9f387d2037: broker 104 waiting for data.
  cancel orders-add-brokers-16de744740: no longer in the spec: broker 105.
  data is not placed, Moving: operation orders-add-brokers-9f387d2037, which moves data onto broker 104, is being made.
  data is not placed, Withdrawing: operation orders-add-brokers-16de744740, which moves data onto brokers 104, 105, is being cancelled.
- data is not placed, Moving: operation orders-add-brokers-9f387d2037 moves data onto broker 104: Queued.
- data is not placed, Moving: operation orders-add-brokers-9f387d2037 moves data onto broker 104: Executing.
- data is placed.
