Given a broker with 3 replicas that the spec no longer has.
- Keep (Replicas): broker 7 stays until its 3 replicas have moved to other brokers.
When one replica has moved:
- Keep (Replicas): broker 7 stays until its 2 replicas have moved to other brokers.
When all are assigned elsewhere, and the broker still deletes one:
- Keep (Replicas): broker 7 stays until the 1 replicas in its log directories are gone.
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
- Wait (NotFenced): broker 7 is stopped; Kafka has not fenced it yet.
- Unregister (Empty).
- DeleteClaims (Empty).
- Done (Empty).
