Given a broker of Kafka 4.2, which knows no cordon, with 3 replicas on a disk that the spec no longer has.
- Keep (Replicas): the disk stays until its 3 replicas have moved to other disks or brokers.
When they have moved:
- LeaveOut (Restart): Kafka has nothing on the disk; it goes when broker 7 is restarted without it.
- Wait (NotRunning): the disk is empty and goes when broker 7 runs without it.
- DeleteClaim (Empty).
