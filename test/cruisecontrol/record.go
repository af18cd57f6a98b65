package cruisecontrol

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// Request is one that arrived.
type Request struct {
	At         time.Time   `json:"at"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Endpoint   string      `json:"endpoint"` // upper case, as sent
	Parameters []Parameter `json:"parameters"`
	// Continues is the task id in its header.
	Continues string `json:"continues,omitempty"`
	Cookie    bool   `json:"cookie,omitempty"`
	// Status of the answer; 0 while there is none, and where the connection was reset.
	Status int `json:"status"`
	// TaskID is the task that it made, or asked for.
	TaskID string `json:"taskId,omitempty"`
}

// Get returns a parameter.
func (r Request) Get(name string) string {
	value, _ := parameters(r.Parameters).get(name)
	return value
}

// New tells whether the request made a task.
func (r Request) New() bool { return r.TaskID != "" && r.Continues == "" }

// record keeps a request: not its credentials.
func (s *Server) record(at time.Time, c *call) int {
	s.requests = append(s.requests, Request{
		At: at, Method: c.method, Path: c.path, Endpoint: strings.ToUpper(c.path[strings.LastIndexByte(c.path, '/')+1:]),
		Parameters: c.parameters, Continues: c.taskID, Cookie: c.session != "",
	})
	return len(s.requests) - 1
}

func (s *Server) recordAnswer(i int, c *call, resp *response) {
	if i >= len(s.requests) {
		return // forgotten meanwhile
	}
	s.requests[i].Parameters, s.requests[i].TaskID = c.parameters, resp.taskID
	if !resp.hangUp {
		s.requests[i].Status = resp.status
	}
	if s.log != nil {
		_ = json.NewEncoder(s.log).Encode(s.requests[i])
	}
}

// LogTo writes each request, when it is answered, as a line of JSON.
func (s *Server) LogTo(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = w
}

// Requests returns what has arrived, in its order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Forget forgets the requests so far.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// explicit are the parameters whose default an operator must not rely on.
var explicit = map[string][]string{
	"STOP_PROPOSAL_EXECUTION": {"stop_external_agent"},
	"USER_TASKS":              {"fetch_completed_task"},
	"PROPOSALS": {
		"exclude_recently_removed_brokers", "exclude_recently_demoted_brokers", "allow_capacity_estimation", "fast_mode", "data_from", "verbose",
		"ignore_proposal_cache", "rebalance_disk",
	},
	"REBALANCE": {
		"dryrun", "stop_ongoing_execution", "skip_hard_goal_check", "exclude_recently_removed_brokers", "exclude_recently_demoted_brokers",
		"allow_capacity_estimation", "fast_mode", "data_from", "verbose", "ignore_proposal_cache", "rebalance_disk",
	},
	"ADD_BROKER": {
		"dryrun", "stop_ongoing_execution", "skip_hard_goal_check", "exclude_recently_removed_brokers", "exclude_recently_demoted_brokers",
		"allow_capacity_estimation", "fast_mode", "data_from", "verbose",
	},
	"DEMOTE_BROKER": {
		"dryrun", "stop_ongoing_execution", "exclude_recently_demoted_brokers", "allow_capacity_estimation", "verbose", "skip_urp_demotion", "exclude_follower_demotion",
	},
	"REMOVE_DISKS": {"dryrun", "stop_ongoing_execution"},
}

func init() {
	for _, same := range []string{"REMOVE_BROKER", "FIX_OFFLINE_REPLICAS", "TOPIC_CONFIGURATION"} {
		explicit[same] = explicit["ADD_BROKER"]
	}
	explicit["TOPIC_CONFIGURATION"] = append(slices.Clone(explicit["ADD_BROKER"]), "skip_rack_awareness_check")
}

// Violations are what a careful operator does not do, in the requests so far.
func (s *Server) Violations() []string {
	var found []string
	byReason := map[string]Request{}
	executed := map[string]string{}
	for _, r := range s.Requests() {
		for _, what := range r.violations() {
			found = append(found, fmt.Sprintf("%s %s: %s", r.Method, r.Endpoint, what))
		}
		reason := r.Get("reason")
		if reason == "" || r.Method != http.MethodPost {
			continue
		}
		if before, seen := byReason[reason]; seen && (before.Endpoint != r.Endpoint || !parameters(before.Parameters).same(r.Parameters)) {
			found = append(found, fmt.Sprintf("%s %s: its token %s was another request's", r.Method, r.Endpoint, reason))
		}
		byReason[reason] = r
		if r.New() && r.Get("dryrun") == "false" {
			if executed[reason] != "" && executed[reason] != r.TaskID {
				found = append(found, fmt.Sprintf("%s %s: %s was sent twice and has two tasks", r.Method, r.Endpoint, reason))
			}
			executed[reason] = r.TaskID
		}
	}
	return found
}

// violations are those of one request.
func (r Request) violations() []string {
	var found []string
	complain := func(bad bool, what string) {
		if bad {
			found = append(found, what)
		}
	}
	p := parameters(r.Parameters)
	complain(r.Method == http.MethodPost && r.Get("reason") == "", "no token in its reason")
	complain(r.Cookie, "a cookie")
	complain(p.bool("stop_external_agent", false), "stop_external_agent=true")
	complain(p.bool("fetch_completed_task", false), "fetch_completed_task=true")
	complain(p.bool("stop_ongoing_execution", false), "stop_ongoing_execution=true")
	complain(p.has("replication_throttle"), "replication_throttle")
	complain(!p.bool("json", false), "not JSON")
	for _, name := range explicit[r.Endpoint] {
		complain(!p.has(name), "the default of "+name)
	}
	return found
}

// Leftovers are what stories must not leave behind in Kafka: reassignments and throttles.
func (s *Server) Leftovers(ctx context.Context, ignore ...backend.Resource) ([]string, error) {
	var found []string
	cluster, err := s.opts.Kafka.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	reassigning, err := s.opts.Kafka.Reassignments(ctx)
	if err != nil {
		return nil, err
	}
	for tp := range reassigning {
		found = append(found, fmt.Sprintf("%s-%d is being reassigned", tp.Topic, tp.Partition))
	}
	for _, r := range resources(cluster) {
		config, err := s.opts.Kafka.Config(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, name := range []string{backend.LeaderRate, backend.FollowerRate, backend.LeaderReplicas, backend.FollowerReplicas} {
			if config[name] != "" && !slices.Contains(ignore, r) {
				found = append(found, fmt.Sprintf("%+v has %s=%s", r, name, config[name]))
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

func resources(cluster backend.Cluster) []backend.Resource {
	list := []backend.Resource{{}}
	for _, id := range slices.Sorted(maps.Keys(cluster.Brokers)) {
		list = append(list, backend.Resource{Name: fmt.Sprint(id)})
	}
	for _, partition := range cluster.Partitions {
		if r := (backend.Resource{Topic: true, Name: partition.Topic}); list[len(list)-1] != r {
			list = append(list, r)
		}
	}
	return list
}

// Remembered are the brokers that were removed or demoted lately, as plans exclude them.
func (s *Server) Remembered() (removed, demoted []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil, nil
	}
	return s.process.executor.recentlyRemoved(nil), s.process.executor.recentlyDemoted()
}
