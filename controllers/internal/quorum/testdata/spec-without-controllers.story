Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When no controller is wanted:
- Wait (NoneWanted): the spec has no controller: the voters stay as they are.
Then the voters are 0a (leader), 1a, 2a.
