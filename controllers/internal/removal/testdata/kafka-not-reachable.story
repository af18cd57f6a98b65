Given a broker that is empty, while Kafka cannot be asked.
- Keep (KafkaUnreachable): broker 7 stays until Kafka can be asked what is on it.
When its Pod is evicted:
When Kafka can be asked again:
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
- Wait (NotFenced): broker 7 is stopped; Kafka has not fenced it yet.
- Unregister (Empty).
- DeleteClaims (Empty).
- Done (Empty).
