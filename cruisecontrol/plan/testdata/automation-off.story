Given the brokers 100 to 103, with 32 replicas of a topic.
Given that automation is off.
When broker 104 is added, and broker 103 removed:
- data is not placed, AutomationOff: broker 103 no longer in the spec, still holding replicas, and automation.removeBrokers is off; to do it, create {apiVersion: kafka.koperator.dev/v1beta1, kind: CruiseControlOperation, metadata: {generateName: orders-, namespace: shop}, spec: {clusterRef: {name: orders}, type: RemoveBrokers, brokers: [103]}}.
- data is not placed, AutomationOff: broker 103 no longer in the spec, still holding replicas, and automation.removeBrokers is off; to do it, create {apiVersion: kafka.koperator.dev/v1beta1, kind: CruiseControlOperation, metadata: {generateName: orders-, namespace: shop}, spec: {clusterRef: {name: orders}, type: RemoveBrokers, brokers: [103]}}.
  data is not placed, AutomationOff: broker 104 waiting for data, and automation.addBrokers is off; to do it, create {apiVersion: kafka.koperator.dev/v1beta1, kind: CruiseControlOperation, metadata: {generateName: orders-, namespace: shop}, spec: {clusterRef: {name: orders}, type: AddBrokers, brokers: [104]}}.
When a person makes the operation:
- data is not placed, AutomationOff: broker 104 waiting for data, and automation.addBrokers is off; to do it, create {apiVersion: kafka.koperator.dev/v1beta1, kind: CruiseControlOperation, metadata: {generateName: orders-, namespace: shop}, spec: {clusterRef: {name: orders}, type: AddBrokers, brokers: [104]}}.
  data is not placed, Moving: operation mine moves all replicas off broker 103: Pending.
- data is not placed, AutomationOff: broker 104 waiting for data, and automation.addBrokers is off; to do it, create {apiVersion: kafka.koperator.dev/v1beta1, kind: CruiseControlOperation, metadata: {generateName: orders-, namespace: shop}, spec: {clusterRef: {name: orders}, type: AddBrokers, brokers: [104]}}.
  data is not placed, Moving: operation mine moves all replicas off broker 103: Queued.
- data is not placed, AutomationOff: broker 104 waiting for data, and automation.addBrokers is off; to do it, create {apiVersion: kafka.koperator.dev/v1beta1, kind: CruiseControlOperation, metadata: {generateName: orders-, namespace: shop}, spec: {clusterRef: {name: orders}, type: AddBrokers, brokers: [104]}}.
  data is not placed, Moving: operation mine moves all replicas off broker 103: Executing.
