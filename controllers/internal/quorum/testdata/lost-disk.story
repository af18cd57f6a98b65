Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When controller 1 loses its disk and starts with a blank one:
Then the voters are 0a (leader), 1a, 2a.
- Remove voter 1 with directory a: controller 1 has lost the directory a and has caught up with another one.
- Add voter 1 with directory b at c1:9090: controller 1 is in the spec and has caught up.
Then the voters are 0a (leader), 1b, 2a.
