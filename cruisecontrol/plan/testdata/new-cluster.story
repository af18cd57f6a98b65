Given the brokers 100 to 103, with 32 replicas of a topic.
Given a new cluster, whose topics are created while broker 102 is still on its way.
When broker 102 is there:
