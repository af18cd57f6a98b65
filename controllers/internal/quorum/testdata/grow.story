Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When the controllers 3 and 4 are added, and 4 takes a while to start:
- Wait (Lagging): controller 3 becomes a voter once it has caught up: it is 2 records behind.
- Wait (NotReady): controller 4 becomes a voter once its Pod is ready.
- Wait (Lagging): controller 3 becomes a voter once it has caught up: it is 1 records behind.
- Wait (NotReady): controller 4 becomes a voter once its Pod is ready.
- Add voter 3 with directory a at c3:9090: controller 3 is in the spec and has caught up.
- Wait (NotReady): controller 4 becomes a voter once its Pod is ready.
- Wait (NotReady): controller 4 becomes a voter once its Pod is ready.
Then the voters are 0a (leader), 1a, 2a, 3a.
When 4 has started:
- Wait (Lagging): controller 4 becomes a voter once it has caught up: it is 1 records behind.
- Add voter 4 with directory a at c4:9090: controller 4 is in the spec and has caught up.
Then the voters are 0a (leader), 1a, 2a, 3a, 4a.
