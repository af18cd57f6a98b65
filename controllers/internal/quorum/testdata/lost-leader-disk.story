Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When controller 0, the leader, loses its disk and starts with a blank one:
Then the voters are 0a, 1a (leader), 2a.
- Remove voter 0 with directory a: controller 0 has lost the directory a and has caught up with another one.
- Add voter 0 with directory b at c0:9090: controller 0 is in the spec and has caught up.
Then the voters are 0b, 1a (leader), 2a.
