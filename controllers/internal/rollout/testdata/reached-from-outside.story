Given the controllers 0 (active), 1, 2 and the brokers 100, 101, 102.
Given the topic orders: 3 partitions on [100 101 102], replication factor 3, min.insync.replicas 2.
Given that clients outside reach the brokers through proxies, which know a broker three steps after it is back.
When every node needs a restart, and envoy-manager has not looked at the present spec yet:
pass   1: restart controller 1: configuration 1 instead of 0.
          controller 2 waits, Queued: controller 1 is restarted first.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 1.
          broker 100, broker 101, broker 102 wait, ExternalAccess: envoy-manager has not looked at the present spec yet.
pass   2: controller 2, controller 0 wait, RestartInProgress: controller 1 is not back yet.
          broker 100, broker 101, broker 102 wait, ExternalAccess: envoy-manager has not looked at the present spec yet.
          controller 1 is ready.
pass   3: restart controller 2: configuration 1 instead of 0.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 2.
          broker 100, broker 101, broker 102 wait, ExternalAccess: envoy-manager has not looked at the present spec yet.
pass   4: controller 0 waits, RestartInProgress: controller 2 is not back yet.
          broker 100, broker 101, broker 102 wait, ExternalAccess: envoy-manager has not looked at the present spec yet.
          controller 2 is ready.
pass   5: restart controller 0: configuration 1 instead of 0.
          broker 100, broker 101, broker 102 wait, ControllersFirst: controller 0 comes before the brokers.
pass   6: broker 100, broker 101, broker 102 wait, RestartInProgress: controller 0 is not back yet.
          controller 0 is ready.
pass   7: restart broker 100: configuration 1 instead of 0.
          broker 101, broker 102 wait, Queued: broker 100 is restarted first.
pass   8: broker 101, broker 102 wait, RestartInProgress: broker 100 is not back yet.
          broker 100 is ready.
pass   9: broker 101, broker 102 wait, ExternalAccess: broker 100 is back, and the proxies do not know it yet.
pass  12: restart broker 101: configuration 1 instead of 0.
          broker 102 waits, Queued: broker 101 is restarted first.
pass  13: broker 102 waits, RestartInProgress: broker 101 is not back yet.
          broker 101 is ready.
pass  14: broker 102 waits, ExternalAccess: broker 101 is back, and the proxies do not know it yet.
pass  17: restart broker 102: configuration 1 instead of 0.
          broker 102 is ready.
The rollout is over after 18 passes.
