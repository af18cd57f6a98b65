Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When controller 1 is down, and 2 is taken out of the spec:
- Wait (Majority): voter 2 is not removed: of the 2 voters after that, 1 are caught up, which is no majority.
Then the voters are 0a (leader), 1a, 2a.
When controller 1 is back:
- Remove voter 2 with directory a: controller 2 is no longer in the spec.
Then the voters are 0a (leader), 1a.
