Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When controllers 1 and 2 lose their disks:
- Wait (NoLeader): the metadata quorum has no leader, and only a leader changes its voters.
Then the voters are 0a, 1a, 2a.
