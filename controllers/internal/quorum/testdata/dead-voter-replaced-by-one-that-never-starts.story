Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When controller 2 dies and is replaced by 3, which does not start yet:
- Remove voter 2 with directory a: controller 2 is no longer in the spec.
- Wait (NotReady): controller 3 becomes a voter once its Pod is ready.
- Wait (NotReady): controller 3 becomes a voter once its Pod is ready.
Then the voters are 0a (leader), 1a.
When 3 has started:
- Wait (Lagging): controller 3 becomes a voter once it has caught up: it is 1 records behind.
- Add voter 3 with directory a at c3:9090: controller 3 is in the spec and has caught up.
Then the voters are 0a (leader), 1a, 3a.
