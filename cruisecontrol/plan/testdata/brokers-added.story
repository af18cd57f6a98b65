Given the brokers 100 to 103, with 32 replicas of a topic.
When brokers 104 and 105 are added, and broker 105 takes a little longer:
- data is not placed, BrokersArriving: broker 104 waiting for data; first broker 105 should be there.
When broker 105 is there, too:
- create orders-add-brokers-16de744740: brokers 104, 105 waiting for data.
  data is not placed, Moving: operation orders-add-brokers-16de744740, which moves data onto brokers 104, 105, is being made.
- data is not placed, Moving: operation orders-add-brokers-16de744740 moves data onto brokers 104, 105: Queued.
- data is not placed, Moving: operation orders-add-brokers-16de744740 moves data onto brokers 104, 105: Executing.
- data is placed.
