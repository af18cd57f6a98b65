Given a controller that the spec no longer has.
- Keep (Voter): controller 7 stays until it is no voter of the metadata quorum any more.
When it votes no more:
- DeletePod (Empty).
- Wait (Stopping): node 7 is stopping.
- DeleteClaims (Empty).
- Done (Empty).
