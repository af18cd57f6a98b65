Given the controller 0 and the brokers 100 to 103.
Given the topic orders: 1 partitions on [100 101 102], replication factor 3, min.insync.replicas 1.
Given the topic invoices: 1 partitions on [103], replication factor 1, min.insync.replicas 1.
When brokers 100 and 103 need a restart, and 102 was just restarted and catches up:
pass   1: broker 100, broker 103 wait, CatchingUp: broker 102 is not in sync with orders-0 (replicas 100,101,102, in sync 100,101) yet.
pass   4: restart broker 100: new image.
          broker 103 waits, Queued: broker 100 is restarted first.
pass   5: broker 103 waits, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass   6: restart broker 103: new image.
          Nobody can keep 1 of its partitions writable meanwhile (1 are still to come, such as invoices-0).
          broker 103 is ready.
The rollout is over after 7 passes.
