Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
Given that the first start is not over.
- Wait (FirstStart): the first start of the cluster is not over: its voters are those that the disks are formatted with.
Then the voters are 0a (leader), 1a, 2a.
