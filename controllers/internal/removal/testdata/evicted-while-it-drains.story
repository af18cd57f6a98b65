Given a broker with 3 replicas whose Pod is evicted.
- Keep (Replicas): broker 7 stays until its 3 replicas have moved to other brokers.
