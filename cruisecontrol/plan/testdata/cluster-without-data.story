Given the brokers 100 to 103, with 32 replicas of a topic.
When broker 103 is added to a cluster without topics of its users:
