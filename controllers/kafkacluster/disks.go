package kafkacluster

import (
	"context"
	"fmt"
)

// keepDisks keeps each disk that the spec no longer has, in Kafka's configuration and mounted: to leave out a log
// directory that holds replicas loses those that have no other copy, without a word from Kafka.
func (s *scope) keepDisks(context.Context) error {
	for _, m := range s.members {
		if m.leaving() {
			continue
		}
		for _, path := range m.extraPaths() {
			s.wait(fmt.Sprintf("removal of %s of %s", path, m.title()), "Replicas", "the disk is not in the spec any more and is kept, because Kafka may hold replicas on it; put it back into the spec to go on using it")
		}
	}
	return nil
}
