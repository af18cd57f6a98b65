Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When the controllers 0, 1, 2 are replaced by 3, 4, 5:
- Wait (Replacement): controller 0 votes on until all that the spec wants vote: 3, 4, 5 does not yet.
- Wait (Replacement): controller 1 votes on until all that the spec wants vote: 3, 4, 5 does not yet.
- Wait (Replacement): controller 2 votes on until all that the spec wants vote: 3, 4, 5 does not yet.
- Wait (Lagging): controller 3 becomes a voter once it has caught up: it is 1 records behind.
- Wait (Lagging): controller 4 becomes a voter once it has caught up: it is 1 records behind.
- Wait (Lagging): controller 5 becomes a voter once it has caught up: it is 1 records behind.
- Add voter 3 with directory a at c3:9090: controller 3 is in the spec and has caught up.
- Wait (Replacement): controller 0 votes on until all that the spec wants vote: 3, 4, 5 does not yet.
- Wait (Replacement): controller 1 votes on until all that the spec wants vote: 3, 4, 5 does not yet.
- Wait (Replacement): controller 2 votes on until all that the spec wants vote: 3, 4, 5 does not yet.
- Wait (Queued): controller 4 waits for another change of the voters.
- Wait (Queued): controller 5 waits for another change of the voters.
- Add voter 4 with directory a at c4:9090: controller 4 is in the spec and has caught up.
- Wait (Queued): controller 0 waits for another change of the voters.
- Wait (Queued): controller 1 waits for another change of the voters.
- Wait (Queued): controller 2 waits for another change of the voters.
- Wait (Queued): controller 5 waits for another change of the voters.
- Add voter 5 with directory a at c5:9090: controller 5 is in the spec and has caught up.
- Wait (Queued): controller 0 waits for another change of the voters.
- Wait (Queued): controller 1 waits for another change of the voters.
- Wait (Queued): controller 2 waits for another change of the voters.
- Remove voter 1 with directory a: controller 1 is no longer in the spec.
- Wait (Queued): controller 0 waits for another change of the voters.
- Wait (Queued): controller 2 waits for another change of the voters.
- Remove voter 2 with directory a: controller 2 is no longer in the spec.
- Wait (Queued): controller 0 waits for another change of the voters.
- Remove voter 0 with directory a: controller 0 is no longer in the spec.
Then the voters are 3a (leader), 4a, 5a.
