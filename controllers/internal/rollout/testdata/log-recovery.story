Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 3 partitions on [100 101 102], replication factor 3, min.insync.replicas 1.
When broker 100 has crashed and recovers its logs, and all brokers need a restart:
pass   1: restart broker 101: new image.
          broker 100 waits, Joining: broker 100 is not ready and may be recovering its logs.
          broker 102 waits, Queued: broker 101 is restarted first.
pass   2: broker 100 waits, Joining: broker 100 is not ready and may be recovering its logs.
          broker 102 waits, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass   3: restart broker 102: new image.
          broker 100 waits, Joining: broker 100 is not ready and may be recovering its logs.
pass   4: broker 100 waits, Joining: broker 100 is not ready and may be recovering its logs.
          broker 102 is ready.
          broker 100 is ready.
pass   7: restart broker 100: new image.
          broker 100 is ready.
The rollout is over after 8 passes.
