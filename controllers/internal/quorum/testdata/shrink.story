Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When the controllers 0 (leader) and 1 are taken out of the spec:
- Remove voter 1 with directory a: controller 1 is no longer in the spec.
- Wait (Queued): controller 0 waits for another change of the voters.
- Remove voter 0 with directory a: controller 0 is no longer in the spec.
Then the voters are 2a (leader).
