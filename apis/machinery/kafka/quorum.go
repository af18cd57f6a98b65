package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	metadataTopic = "__cluster_metadata"
	// controllerListener is the listener of controllers; Kafka refuses a voter whose endpoints leave it out.
	controllerListener = "CONTROLLER"
	// controllerEndpoints asks DescribeCluster for controllers instead of brokers.
	controllerEndpoints = 2
)

// Quorum implements Admin.
func (c *client) Quorum(ctx context.Context) (Quorum, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var quorum Quorum
	err := c.viaBrokersOrControllers(ctx, repeatAlways, func(ctx context.Context, request requestFunc) error {
		var err error
		quorum, err = describeQuorum(ctx, request)
		return err
	})
	if errors.Is(err, errNoLeader) {
		return Quorum{Leader: -1}, nil
	}
	if err != nil {
		return Quorum{}, fmt.Errorf("describing quorum: %w", err)
	}
	return quorum, nil
}

// describeQuorum asks one node. A broker forwards it to the leader; a controller that is not the leader refuses.
func describeQuorum(ctx context.Context, request requestFunc) (Quorum, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	t := kmsg.NewDescribeQuorumRequestTopic()
	t.Topic = metadataTopic
	t.Partitions = append(t.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, t)
	resp, err := request(ctx, req)
	if err != nil {
		return Quorum{}, err
	}
	answer := resp.(*kmsg.DescribeQuorumResponse)
	if err := kafkaError(answer.ErrorCode, answer.ErrorMessage); err != nil {
		return Quorum{}, err
	}
	if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return Quorum{}, fmt.Errorf("answer without %s", metadataTopic)
	}
	p := answer.Topics[0].Partitions[0]
	if err := kafkaError(p.ErrorCode, p.ErrorMessage); err != nil {
		return Quorum{}, err
	}
	return newQuorum(p, time.Now()), nil
}

// newQuorum turns an answer into a Quorum. Times are counted on the leader's clock: Kafka 4 gives the leader's own entry the
// time of the answer. Where it does not, as the protocol allows (KIP-836), the clock of this program is used.
func newQuorum(p kmsg.DescribeQuorumResponseTopicPartition, now time.Time) Quorum {
	var end int64
	for _, v := range p.CurrentVoters {
		if v.ReplicaID != p.LeaderID {
			continue
		}
		end = v.LogEndOffset
		if at := max(v.LastCaughtUpTimestamp, v.LastFetchTimestamp); at > 0 {
			now = time.UnixMilli(at)
		}
	}
	replicas := func(states []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) []QuorumReplica {
		out := make([]QuorumReplica, 0, len(states))
		for _, s := range states {
			r := QuorumReplica{ID: s.ReplicaID, DirectoryID: directoryID(s.ReplicaDirectoryID), Lag: max(end-s.LogEndOffset, 0), CaughtUpAgo: -1}
			switch {
			case s.ReplicaID == p.LeaderID:
				r.CaughtUpAgo = 0
			case s.LastCaughtUpTimestamp >= 0:
				r.CaughtUpAgo = max(now.Sub(time.UnixMilli(s.LastCaughtUpTimestamp)), 0)
			}
			out = append(out, r)
		}
		return out
	}
	return Quorum{Leader: p.LeaderID, Voters: replicas(p.CurrentVoters), Observers: replicas(p.Observers)}
}

// AddVoter implements Admin.
func (c *client) AddVoter(ctx context.Context, voter Voter) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	directory, err := parseDirectoryID(voter.DirectoryID)
	if err != nil {
		return fmt.Errorf("adding voter %d: %w", voter.ID, err)
	}
	err = c.viaBrokersOrControllers(ctx, repeatUnsent, func(ctx context.Context, request requestFunc) error {
		req := kmsg.NewPtrAddRaftVoterRequest()
		req.TimeoutMillis = millisLeft(ctx)
		req.VoterID = voter.ID
		req.VoterDirectoryID = directory
		l := kmsg.NewAddRaftVoterRequestListener()
		l.Name, l.Host, l.Port = controllerListener, voter.Host, uint16(voter.Port)
		req.Listeners = append(req.Listeners, l)
		resp, err := request(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.AddRaftVoterResponse)
		return kafkaError(answer.ErrorCode, answer.ErrorMessage)
	})
	if err != nil {
		return fmt.Errorf("adding voter %d: %w", voter.ID, err)
	}
	return nil
}

// RemoveVoter implements Admin.
func (c *client) RemoveVoter(ctx context.Context, id int32, directoryID string) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	directory, err := parseDirectoryID(directoryID)
	if err != nil {
		return fmt.Errorf("removing voter %d: %w", id, err)
	}
	err = c.viaBrokersOrControllers(ctx, repeatUnsent, func(ctx context.Context, request requestFunc) error {
		req := kmsg.NewPtrRemoveRaftVoterRequest()
		req.VoterID = id
		req.VoterDirectoryID = directory
		resp, err := request(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.RemoveRaftVoterResponse)
		return kafkaError(answer.ErrorCode, answer.ErrorMessage)
	})
	if err != nil {
		return fmt.Errorf("removing voter %d: %w", id, err)
	}
	return nil
}

// errNoLeader means that every controller answered and none leads the quorum.
var errNoLeader = errors.New("the metadata quorum has no leader")

// viaBrokersOrControllers runs fn with a broker, or with the leader of the quorum itself if no broker can pass it on: none
// answers, none is there yet, or they do not reach the controllers.
func (c *client) viaBrokersOrControllers(ctx context.Context, r repeat, fn func(context.Context, requestFunc) error) error {
	err := c.viaBrokers(ctx, r, fn)
	if err == nil || !c.hasControllers() || !r.toControllers(err) {
		return err
	}
	leader, leaderErr := c.leader(ctx)
	if leaderErr != nil {
		return fmt.Errorf("%w (and through a broker: %v)", leaderErr, err)
	}
	return classified(fn(ctx, leader))
}

func (c *client) viaBrokers(ctx context.Context, r repeat, fn func(context.Context, requestFunc) error) error {
	if c.hasControllers() && r == repeatAlways {
		var cancel context.CancelFunc
		ctx, cancel = share(ctx)
		defer cancel()
	}
	return c.onBroker(ctx, r, func(ctx context.Context, _ *session, b broker) error { return fn(ctx, b.request) })
}

// toControllers says whether the controllers are to be asked after brokers failed with err.
func (r repeat) toControllers(err error) bool {
	return r.after(err) || errors.Is(err, errNoBrokers)
}

func (c *client) hasControllers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && len(c.controllers) > 0
}

// controllerClient returns the client of the controllers. They do not know Metadata, so franz-go can neither discover
// them nor retry: only requests to its seeds work.
func (c *client) controllerClient() (*kgo.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, errClosed
	case c.quorum != nil:
		return c.quorum, nil
	case len(c.controllers) == 0:
		return nil, errNoControllers
	}
	var err error
	c.quorum, err = newClient(c.cfg, c.tls, c.controllers)
	return c.quorum, err
}

// askControllers runs ask, which may do twice what it does, with every controller at the same time and returns the errors
// in their order.
func (c *client) askControllers(ctx context.Context, ask func(context.Context, requestFunc) error) ([]error, error) {
	cl, err := c.controllerClient()
	if err != nil {
		return nil, err
	}
	seeds := cl.SeedBrokers()
	errs := make([]error, len(seeds))
	var wg sync.WaitGroup
	for i, seed := range seeds {
		wg.Go(func() { errs[i] = ask(ctx, requestFunc(seed.Request).steady(repeatAlways)) })
	}
	wg.Wait()
	return errs, nil
}

// leader finds the active controller: the one that describes the quorum.
func (c *client) leader(ctx context.Context) (requestFunc, error) {
	var mu sync.Mutex
	var leader requestFunc
	errs, err := c.askControllers(ctx, func(ctx context.Context, request requestFunc) error {
		_, err := describeQuorum(ctx, request)
		if err == nil {
			mu.Lock()
			leader = request
			mu.Unlock()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if leader != nil {
		return leader, nil
	}
	return nil, noLeader(errs)
}

// controllerIDs lists the controllers that are registered, those without a vote too (KIP-919).
func controllerIDs(ctx context.Context, request requestFunc) ([]int32, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType = controllerEndpoints
	resp, err := request(ctx, req)
	if err != nil {
		return nil, err
	}
	answer := resp.(*kmsg.DescribeClusterResponse)
	if err := kafkaError(answer.ErrorCode, answer.ErrorMessage); err != nil {
		return nil, fmt.Errorf("describing controllers: %w", err)
	}
	ids := make([]int32, 0, len(answer.Brokers))
	for _, b := range answer.Brokers {
		ids = append(ids, b.NodeID)
	}
	return ids, nil
}

// noLeader turns the errors of all controllers into one: only if each said that it does not lead, there is no leader.
func noLeader(errs []error) error {
	for _, err := range errs {
		if !errors.Is(err, kerr.NotLeaderForPartition) {
			return fmt.Errorf("asking controllers: %w", classified(err))
		}
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, errNoLeader)
}
