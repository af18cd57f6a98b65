Given a disk that was added to the spec and removed again before the broker was restarted with it.
- DeleteClaim (Empty).
