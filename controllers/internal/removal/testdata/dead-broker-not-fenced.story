Given an empty broker that has crashed a moment ago.
- Keep (NotFenced): broker 7 cannot run and cannot be asked; it stays until Kafka has fenced it.
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
- Unregister (Empty).
- DeleteClaims (Empty).
- Done (Empty).
