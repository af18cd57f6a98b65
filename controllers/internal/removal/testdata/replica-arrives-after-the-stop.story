Given an empty broker.
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
When somebody assigns a replica to it just then:
- Keep (Replicas): broker 7 stays until its 1 replicas have moved to other brokers.
When the replica has moved away again:
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
- Wait (NotFenced): broker 7 is stopped; Kafka has not fenced it yet.
- Unregister (Empty).
- DeleteClaims (Empty).
- Done (Empty).
