Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When controller 2 is replaced by 3, which never starts:
- Wait (Replacement): controller 2 votes on until all that the spec wants vote: 3 does not yet.
- Wait (NotReady): controller 3 becomes a voter once its Pod is ready.
Then the voters are 0a (leader), 1a, 2a.
