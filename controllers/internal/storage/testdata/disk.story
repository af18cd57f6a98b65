Given a broker with 3 replicas on a disk that the spec no longer has.
- Keep (Replicas): the disk stays until its 3 replicas have moved to other disks or brokers.
When two of them have moved:
- Keep (Replicas): the disk stays until its 1 replicas have moved to other disks or brokers.
When the last one is assigned to the broker's other disk, and is not there yet:
- Keep (Replicas): the disk is empty and stays until the 1 replicas that Kafka has assigned to broker 7 are in its other log directories.
When it is there:
- Keep (NotCordoned): the disk is empty and stays until Kafka places nothing on it any more (cordoned.log.dirs).
When the disk is cordoned:
- LeaveOut (Restart): Kafka has nothing on the disk; it goes when broker 7 is restarted without it.
- Wait (NotRunning): the disk is empty and goes when broker 7 runs without it.
- DeleteClaim (Empty).
