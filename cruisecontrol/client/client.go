// Package client asks and tells LinkedIn's Cruise Control over its REST API. It knows no Kubernetes.
//
// Four facts about Cruise Control shape it. Failures are HTTP 500 with a text, so texts are what errors are told apart by.
// A POST whose answer is lost may have been carried out, and there is no key that makes it safe to repeat: the client never
// does, and a token in the request's reason finds the task again. Cookies make Cruise Control answer a request with the
// result of an earlier one: there is no cookie jar. And it counts the length of its answers in characters, not bytes, so that
// somebody else's request can cut the JSON that describes it: what is whole is still read.
package client

import (
	"context"
	"net/http"

	"github.com/go-resty/resty/v2"
)

// Client asks and tells one Cruise Control. It is safe for concurrent use. Every call is bounded in time, also if ctx is not.
//
// An error that is not the caller's own context is an *Error, and errors.Is tells its Class. Reads are repeated a few times
// when Cruise Control cannot be reached; what changes something is sent once at most.
//
// Planning requests (those with a Submission), State, Load and Proposals may take longer than one request: their Answer has
// no Result yet, but the task's id, with which the same call with the same parameters goes on where it was.
type Client interface {
	// State reads what Cruise Control is doing.
	State(ctx context.Context, p StateParameters) (Answer[State], error)
	// KafkaClusterState reads how Cruise Control sees Kafka. It is up to ten seconds old, and leaderless partitions are
	// missing from the counts: it proves nothing about a broker being empty.
	KafkaClusterState(ctx context.Context, p KafkaClusterStateParameters) (KafkaClusterState, error)
	// Load reads load and capacity of brokers, up to ten seconds old.
	Load(ctx context.Context, p LoadParameters) (Answer[Load], error)
	// Proposals plans a rebalance that cannot be executed.
	Proposals(ctx context.Context, p ProposalsParameters) (Answer[Plan], error)
	// UserTasks lists tasks. What is not in an incomplete list may exist all the same.
	UserTasks(ctx context.Context, p UserTasksParameters) (UserTasks, error)

	// Rebalance spreads replicas and leaders over brokers, or over the disks of each broker.
	Rebalance(ctx context.Context, s Submission, p RebalanceParameters) (Answer[Plan], error)
	// AddBroker moves replicas to brokers.
	AddBroker(ctx context.Context, s Submission, p AddBrokerParameters) (Answer[Plan], error)
	// RemoveBroker moves all replicas off brokers.
	RemoveBroker(ctx context.Context, s Submission, p RemoveBrokerParameters) (Answer[Plan], error)
	// DemoteBroker moves leadership off brokers or disks.
	DemoteBroker(ctx context.Context, s Submission, p DemoteBrokerParameters) (Answer[Plan], error)
	// FixOfflineReplicas moves replicas off dead brokers and disks. NothingToDo: there is none.
	FixOfflineReplicas(ctx context.Context, s Submission, p FixOfflineReplicasParameters) (Answer[Plan], error)
	// TopicConfiguration changes the replication factor of topics. NothingToDo: they have it.
	TopicConfiguration(ctx context.Context, s Submission, p TopicConfigurationParameters) (Answer[Plan], error)
	// RemoveDisks moves all replicas off log directories to others of the same broker. Its plan has no proposals.
	RemoveDisks(ctx context.Context, s Submission, p RemoveDisksParameters) (Answer[Plan], error)

	// StopProposalExecution asks Cruise Control to stop what it is executing, whoever started it: look first. It answers
	// the same whether there was anything to stop, and may forget the request: ask again until the task has ended. Reassignments
	// that Cruise Control did not start are left alone.
	StopProposalExecution(ctx context.Context, reason string) error
	// PauseSampling ends the collection of metrics until ResumeSampling or a restart.
	PauseSampling(ctx context.Context, reason string) error
	// ResumeSampling undoes PauseSampling.
	ResumeSampling(ctx context.Context, reason string) error
	// Admin changes settings that are lost when Cruise Control restarts.
	Admin(ctx context.Context, reason string, p AdminParameters) (AdminResult, error)

	// Close ends idle connections.
	Close()
}

// client is Client on resty.
type client struct {
	cfg   Config
	reads *resty.Client
	// changes gives every request a connection of its own: on one that was used before, bytes that belong to an earlier
	// answer may wait, and the answer to a request that was carried out would be lost.
	changes *resty.Client
}

var _ Client = (*client)(nil)

// New returns a Client that connects with the first call. It fails only for what no time will heal: an address that is none
// and certificates that cannot be read.
func New(cfg Config) (Client, error) {
	conf, err := cfg.tlsConfig()
	if err != nil {
		return nil, err
	}
	if cfg.URL, err = baseURL(cfg.URL); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	kept, single := transport(cfg, conf), transport(cfg, conf)
	single.DisableKeepAlives = true
	return &client{cfg: cfg, reads: newResty(cfg, kept), changes: newResty(cfg, single)}, nil
}

// newResty makes a resty client that does nothing of its own accord: no cookies, no redirects, no retries, no parsing.
func newResty(cfg Config, t http.RoundTripper) *resty.Client {
	rc := resty.NewWithClient(&http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}})
	return rc.SetBaseURL(cfg.URL).
		SetHeader("User-Agent", cfg.UserAgent).
		SetDoNotParseResponse(true).
		SetDisableWarn(true).
		SetLogger(silent{})
}

// silent is a logger for resty, which would write to standard error what its caller gets as an error.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// Close implements Client.
func (c *client) Close() {
	for _, rc := range []*resty.Client{c.reads, c.changes} {
		rc.GetClient().CloseIdleConnections()
	}
}
