Given a broker with 3 replicas that cannot run any more.
- Keep (Replicas): broker 7 stays until its 3 replicas have moved to other brokers.
When all are assigned elsewhere, and Kafka has fenced it:
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
- Unregister (Empty).
- DeleteClaims (Empty).
- Done (Empty).
