Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 3 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
When Kafka cannot be asked, broker 101 crash-loops, and every node needs a restart:
pass   1: repair broker 101: configuration 1 instead of 0.
          controller 0, controller 1, controller 2, broker 100, broker 102 wait, KafkaUnreachable: Kafka cannot be asked what a restart would do.
pass   2: controller 0, controller 1, controller 2, broker 100, broker 102 wait, KafkaUnreachable: Kafka cannot be asked what a restart would do.
          broker 101 is ready.
Nothing else happens.
When Kafka can be asked again:
pass   9: restart controller 1: configuration 1 instead of 0.
          controller 2 waits, Queued: controller 1 is restarted first.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 1.
          broker 100, broker 102 wait, ControllersFirst: controller 1 comes before the brokers.
pass  10: controller 2, controller 0, broker 100, broker 102 wait, RestartInProgress: controller 1 is not back yet.
          controller 1 is ready.
pass  11: restart controller 2: configuration 1 instead of 0.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 2.
          broker 100, broker 102 wait, ControllersFirst: controller 2 comes before the brokers.
pass  12: controller 0, broker 100, broker 102 wait, RestartInProgress: controller 2 is not back yet.
          controller 2 is ready.
pass  13: restart controller 0: configuration 1 instead of 0.
          broker 100, broker 102 wait, ControllersFirst: controller 0 comes before the brokers.
pass  14: broker 100, broker 102 wait, RestartInProgress: controller 0 is not back yet.
          controller 0 is ready.
pass  15: restart broker 100: configuration 1 instead of 0.
          broker 102 waits, Queued: broker 100 is restarted first.
pass  16: broker 102 waits, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass  17: restart broker 102: configuration 1 instead of 0.
          broker 102 is ready.
The rollout is over after 18 passes.
