Given the controllers 0 (active) and 1 and the broker 100.
When every node needs a restart:
pass   1: restart controller 1: configuration 1 instead of 0.
          Nobody can keep the majority of the quorum meanwhile.
          controller 0 waits, ActiveControllerLast: controller 0 is the active controller and comes after controller 1.
          broker 100 waits, ControllersFirst: controller 1 comes before the brokers.
pass   2: controller 0, broker 100 wait, NoQuorumLeader: the metadata quorum has no leader.
          controller 1 is ready.
pass   3: restart controller 0: configuration 1 instead of 0.
          Nobody can keep the majority of the quorum meanwhile.
          broker 100 waits, ControllersFirst: controller 0 comes before the brokers.
pass   4: broker 100 waits, NoQuorumLeader: the metadata quorum has no leader.
          controller 0 is ready.
pass   5: restart broker 100: configuration 1 instead of 0.
          broker 100 is ready.
The rollout is over after 6 passes.
