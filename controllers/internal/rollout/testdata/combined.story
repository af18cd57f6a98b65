Given the combined nodes 0 (active controller), 1, 2.
Given the topic orders: 3 partitions on [0 1 2], replication factor 3, min.insync.replicas 2.
When every node needs a restart:
pass   1: restart broker 1: configuration 1 instead of 0.
          broker 2 waits, Queued: broker 1 is restarted first.
          broker 0 waits, ActiveControllerLast: broker 0 is the active controller and comes after broker 1.
pass   2: broker 2, broker 0 wait, RestartInProgress: broker 1 is not back yet.
          broker 1 is ready.
pass   3: restart broker 2: configuration 1 instead of 0.
          broker 0 waits, ActiveControllerLast: broker 0 is the active controller and comes after broker 2.
pass   4: broker 0 waits, RestartInProgress: broker 2 is not back yet.
          broker 2 is ready.
pass   5: restart broker 0: configuration 1 instead of 0.
          broker 0 is ready.
The rollout is over after 6 passes.
