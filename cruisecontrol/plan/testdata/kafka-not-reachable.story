Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 103 is removed from the spec while Kafka cannot be asked:
- data is not placed, KafkaUnreachable: Kafka cannot be asked where data is: nothing is moved until it answers.
When it can be asked:
- create orders-remove-brokers-592c81ac1f: broker 103 no longer in the spec, still holding replicas.
  data is not placed, Moving: operation orders-remove-brokers-592c81ac1f, which moves all replicas off broker 103, is being made.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Queued.
- data is not placed, Moving: operation orders-remove-brokers-592c81ac1f moves all replicas off broker 103: Executing.
- data is placed.
