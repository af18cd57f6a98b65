Given the voters 0a (leader), 1a, 2a. 0a is controller 0 with the directory a.
When the quorum cannot be asked, and 3 is added:
- Wait (QuorumUnknown): the metadata quorum could not be asked for its voters.
Then the voters are 0a (leader), 1a, 2a.
