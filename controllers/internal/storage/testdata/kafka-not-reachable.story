Given an empty and cordoned disk, while Kafka cannot be asked.
- Keep (KafkaUnreachable): the disk stays until Kafka can be asked what is on it.
When the broker's Pod is lost just then:
When Kafka can be asked again:
- LeaveOut (Restart): Kafka has nothing on the disk; it goes when broker 7 is restarted without it.
- Wait (NotRunning): the disk is empty and goes when broker 7 runs without it.
When it cannot be asked while the broker starts without the disk:
- Wait (KafkaUnreachable): the claim of the disk stays until Kafka can be asked.
When it can be asked again:
- DeleteClaim (Empty).
