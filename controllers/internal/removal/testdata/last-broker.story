Given the last broker, without a replica.
- Keep (LastBroker): broker 7 stays: it is the last broker of the cluster.
