Given a combined node with 2 replicas that the spec no longer has.
- Keep (Voter): controller 7 stays until it is no voter of the metadata quorum any more.
When it votes no more:
- Keep (Replicas): broker 7 stays until its 2 replicas have moved to other brokers.
When its replicas have moved:
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
- Wait (NotFenced): broker 7 is stopped; Kafka has not fenced it yet.
- Unregister (Empty).
- DeleteClaims (Empty).
- Done (Empty).
