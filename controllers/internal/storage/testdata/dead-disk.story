Given a broker with 3 replicas on a disk that has died, and that the spec no longer has.
- Keep (DiskFailed): Kafka cannot read the disk (KAFKA_STORAGE_ERROR); it stays until the 3 replicas of broker 7 that are missing are made again elsewhere (FixOfflineReplicas).
When they are made again elsewhere:
- LeaveOut (Restart): Kafka has nothing on the disk; it goes when broker 7 is restarted without it.
- Wait (NotRunning): the disk is empty and goes when broker 7 runs without it.
- DeleteClaim (Empty).
