package kafkafake

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"koperator.dev/koperator/apis/machinery/kafka"
)

// AddVoter implements kafka.Admin: an observer with this directory becomes a voter.
func (k *Kafka) AddVoter(ctx context.Context, voter kafka.Voter) error {
	args := fmt.Sprintf("%d %s %s:%d", voter.ID, voter.DirectoryID, voter.Host, voter.Port)
	return k.call(ctx, "AddVoter", args, func() error {
		q := &k.state.Quorum
		if q.Leader < 0 {
			return kafka.ErrUnreachable
		}
		if slices.ContainsFunc(q.Voters, func(v kafka.QuorumReplica) bool { return v.ID == voter.ID }) {
			return kerr.DuplicateVoter
		}
		i := slices.IndexFunc(q.Observers, func(o kafka.QuorumReplica) bool {
			return o.ID == voter.ID && o.DirectoryID == voter.DirectoryID
		})
		if i < 0 || q.Observers[i].CaughtUpAgo < 0 {
			// Kafka waits for it to catch up, and gives up.
			return fmt.Errorf("%w (since it is lagging behind)", kerr.RequestTimedOut)
		}
		q.Voters = append(slices.Clone(q.Voters), q.Observers[i])
		q.Observers = slices.Delete(slices.Clone(q.Observers), i, i+1)
		k.state.Voters[voter.ID] = voter
		return nil
	})
}

// RemoveVoter implements kafka.Admin. The voter goes on as an observer; the leader resigns.
func (k *Kafka) RemoveVoter(ctx context.Context, id int32, directoryID string) error {
	return k.call(ctx, "RemoveVoter", fmt.Sprintf("%d %s", id, directoryID), func() error {
		q := &k.state.Quorum
		if q.Leader < 0 {
			return kafka.ErrUnreachable
		}
		i := slices.IndexFunc(q.Voters, func(v kafka.QuorumReplica) bool { return v.ID == id && v.DirectoryID == directoryID })
		if i < 0 || len(q.Voters) == 1 {
			return kerr.VoterNotFound
		}
		q.Observers = append(slices.Clone(q.Observers), q.Voters[i])
		q.Voters = slices.Delete(slices.Clone(q.Voters), i, i+1)
		delete(k.state.Voters, id)
		if q.Leader == id {
			q.Leader = q.Voters[0].ID
		}
		return nil
	})
}
