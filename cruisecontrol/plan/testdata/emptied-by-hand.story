Given the brokers 100 to 103, with 32 replicas of a topic.
When a person moves everything off broker 103, which stays:
- data is not placed, EmptiedByHand: operation mine has moved all replicas off broker 103; to move data onto it again, delete that operation, or create {apiVersion: kafka.koperator.dev/v1beta1, kind: CruiseControlOperation, metadata: {generateName: orders-, namespace: shop}, spec: {clusterRef: {name: orders}, type: AddBrokers, brokers: [103]}}.
