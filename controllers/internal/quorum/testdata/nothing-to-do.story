Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
Then the voters are 0a (leader), 1a, 2a.
