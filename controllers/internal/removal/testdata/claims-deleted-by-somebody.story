Given a broker whose Pod and claims somebody has deleted, with 2 replicas.
- Wait (Replicas): broker 7 stays until its 2 replicas have moved to other brokers.
When Kafka has other replicas in their place:
- Unregister (Empty).
- Done (Empty).
