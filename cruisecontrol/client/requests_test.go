package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Every request says everything that Cruise Control has a default for, and nothing that it does not know.
func TestRequests(t *testing.T) {
	goals := GoalParameters{Goals: []Goal{"RackAwareGoal", "DiskCapacityGoal"}, ExcludedTopics: "__.*|a+b", ExcludeRecentlyRemovedBrokers: true}
	const goalsSent = "goals=RackAwareGoal,DiskCapacityGoal&use_ready_default_goals=false&data_from=VALID_WINDOWS&excluded_topics=__.*|a+b&" +
		"exclude_recently_removed_brokers=true&exclude_recently_demoted_brokers=false&allow_capacity_estimation=false&fast_mode=false&verbose=true"
	const noGoalsSent = "use_ready_default_goals=false&data_from=VALID_WINDOWS&" +
		"exclude_recently_removed_brokers=false&exclude_recently_demoted_brokers=false&allow_capacity_estimation=false&fast_mode=false&verbose=true"
	execution := ExecutionParameters{
		ConcurrentPartitionMovementsPerBroker: 5, MaxPartitionMovementsInCluster: 6, ConcurrentLeaderMovements: 7, BrokerConcurrentLeaderMovements: 8,
		ReplicaMovementStrategies:      []ReplicaMovementStrategy{PostponeUrpReplicaMovementStrategy, BaseReplicaMovementStrategy},
		ExecutionProgressCheckInterval: 7 * time.Second,
	}
	const executionSent = "concurrent_partition_movements_per_broker=5&max_partition_movements_in_cluster=6&concurrent_leader_movements=7&" +
		"broker_concurrent_leader_movements=8&replica_movement_strategies=PostponeUrpReplicaMovementStrategy,BaseReplicaMovementStrategy&execution_progress_check_interval_ms=7000"
	const dry, inEarnest = "dryrun=true&json=true&reason=r&stop_ongoing_execution=false&", "dryrun=false&json=true&reason=r&stop_ongoing_execution=false&"
	yes := true
	for _, r := range []struct {
		want string
		ask  func(context.Context, Client) error
	}{
		{"GET /kafkacruisecontrol/state?json=true&substates=executor,analyzer,monitor,anomaly_detector&verbose=false&super_verbose=false",
			func(ctx context.Context, c Client) error { _, err := c.State(ctx, StateParameters{}); return err }},
		{"GET /kafkacruisecontrol/kafka_cluster_state?json=true&verbose=true&topic=a.*", func(ctx context.Context, c Client) error {
			_, err := c.KafkaClusterState(ctx, KafkaClusterStateParameters{Topic: "a.*", Verbose: true})
			return err
		}},
		{"GET /kafkacruisecontrol/load?json=true&capacity_only=true", func(ctx context.Context, c Client) error {
			_, err := c.Load(ctx, LoadParameters{CapacityOnly: true})
			return err
		}},
		{"GET /kafkacruisecontrol/load?json=true&capacity_only=false&allow_capacity_estimation=true&populate_disk_info=true&start=1000&end=2000", func(ctx context.Context, c Client) error {
			_, err := c.Load(ctx, LoadParameters{AllowCapacityEstimation: true, PopulateDiskInfo: true, Start: time.UnixMilli(1000), End: time.UnixMilli(2000)})
			return err
		}},
		{"GET /kafkacruisecontrol/proposals?json=true&" + goalsSent + "&destination_broker_ids=1&rebalance_disk=false&kafka_assigner=false&ignore_proposal_cache=false", func(ctx context.Context, c Client) error {
			_, err := c.Proposals(ctx, ProposalsParameters{GoalParameters: goals, DestinationBrokerIDs: []int32{1}})
			return err
		}},
		{"GET /kafkacruisecontrol/user_tasks?json=true&fetch_completed_task=false", func(ctx context.Context, c Client) error {
			_, err := c.UserTasks(ctx, UserTasksParameters{})
			return ignoreBroken(err)
		}},
		{"GET /kafkacruisecontrol/user_tasks?json=true&user_task_ids=a,b&client_ids=10.0.0.7&endpoints=REBALANCE&types=Active,InExecution&entries=3&fetch_completed_task=false", func(ctx context.Context, c Client) error {
			_, err := c.UserTasks(ctx, UserTasksParameters{
				UserTaskIDs: []TaskID{"a", "b"}, ClientIDs: []string{"10.0.0.7"}, Endpoints: []string{"REBALANCE"}, Types: []TaskStatus{TaskActive, TaskInExecution}, Entries: 3,
			})
			return ignoreBroken(err)
		}},
		{"POST /kafkacruisecontrol/rebalance?" + dry + goalsSent + "&" + executionSent + "&destination_broker_ids=1,2&rebalance_disk=false&kafka_assigner=false&ignore_proposal_cache=false&skip_hard_goal_check=true&concurrent_intra_broker_partition_movements=3",
			func(ctx context.Context, c Client) error {
				p := RebalanceParameters{GoalParameters: goals, ExecutionParameters: execution, DestinationBrokerIDs: []int32{1, 2}, ConcurrentIntraBrokerPartitionMovements: 3}
				p.SkipHardGoalCheck = true
				_, err := c.Rebalance(ctx, DryRun("r"), p)
				return err
			}},
		{"POST /kafkacruisecontrol/rebalance?" + inEarnest + noGoalsSent + "&rebalance_disk=true&kafka_assigner=false&ignore_proposal_cache=true&skip_hard_goal_check=false", func(ctx context.Context, c Client) error {
			_, err := c.Rebalance(ctx, Execute("r"), RebalanceParameters{RebalanceDisk: true})
			return err
		}},
		{"POST /kafkacruisecontrol/add_broker?" + inEarnest + "brokerid=3,4&" + goalsSent + "&" + executionSent + "&skip_hard_goal_check=false&kafka_assigner=false&throttle_added_broker=true", func(ctx context.Context, c Client) error {
			_, err := c.AddBroker(ctx, Execute("r"), AddBrokerParameters{BrokerIDs: []int32{3, 4}, GoalParameters: goals, ExecutionParameters: execution})
			return err
		}},
		{"POST /kafkacruisecontrol/remove_broker?" + inEarnest + "brokerid=3&destination_broker_ids=0,1&" + noGoalsSent + "&skip_hard_goal_check=false&kafka_assigner=false&throttle_removed_broker=true", func(ctx context.Context, c Client) error {
			_, err := c.RemoveBroker(ctx, Execute("r"), RemoveBrokerParameters{BrokerIDs: []int32{3}, DestinationBrokerIDs: []int32{0, 1}})
			return err
		}},
		{"POST /kafkacruisecontrol/demote_broker?" + dry + "brokerid=3&brokerid_and_logdirs=1-/a,1-/b,2-/a&skip_urp_demotion=true&exclude_follower_demotion=false&exclude_recently_demoted_brokers=false&allow_capacity_estimation=false&verbose=true&" +
			"concurrent_leader_movements=9", func(ctx context.Context, c Client) error {
			_, err := c.DemoteBroker(ctx, DryRun("r"), DemoteBrokerParameters{
				BrokerIDs: []int32{3}, BrokerIDsAndLogDirs: LogDirs{2: {"/a"}, 1: {"/a", "/b"}}, SkipURPDemotion: true, ConcurrentLeaderMovements: 9,
			})
			return err
		}},
		{"POST /kafkacruisecontrol/fix_offline_replicas?" + inEarnest + noGoalsSent + "&skip_hard_goal_check=false", func(ctx context.Context, c Client) error {
			_, err := c.FixOfflineReplicas(ctx, Execute("r"), FixOfflineReplicasParameters{})
			return err
		}},
		{"POST /kafkacruisecontrol/topic_configuration?" + dry + noGoalsSent + "&skip_hard_goal_check=false&skip_rack_awareness_check=true&topic=t.*&replication_factor=3", func(ctx context.Context, c Client) error {
			_, err := c.TopicConfiguration(ctx, DryRun("r"), TopicConfigurationParameters{TopicByReplicationFactor: map[int]string{3: "t.*"}, SkipRackAwarenessCheck: true})
			return err
		}},
		{"POST /kafkacruisecontrol/remove_disks?" + inEarnest + "brokerid_and_logdirs=1-/a", func(ctx context.Context, c Client) error {
			_, err := c.RemoveDisks(ctx, Execute("r"), RemoveDisksParameters{LogDirs{1: {"/a"}}})
			return err
		}},
		{"POST /kafkacruisecontrol/stop_proposal_execution?stop_external_agent=false&force_stop=false&json=true&reason=r", func(ctx context.Context, c Client) error {
			return c.StopProposalExecution(ctx, "r")
		}},
		{"POST /kafkacruisecontrol/pause_sampling?json=true&reason=r", func(ctx context.Context, c Client) error { return c.PauseSampling(ctx, "r") }},
		{"POST /kafkacruisecontrol/resume_sampling?json=true&reason=r", func(ctx context.Context, c Client) error { return c.ResumeSampling(ctx, "r") }},
		{"POST /kafkacruisecontrol/admin?enable_self_healing_for=BROKER_FAILURE&concurrent_leader_movements=4&drop_recently_removed_brokers=1,2&disable_concurrency_adjuster_for=LEADERSHIP_CLUSTER&min_isr_based_concurrency_adjustment=true&json=true&reason=r",
			func(ctx context.Context, c Client) error {
				_, err := c.Admin(ctx, "r", AdminParameters{
					EnableSelfHealingFor: []AnomalyType{BrokerFailure}, ConcurrentLeaderMovements: 4, DropRecentlyRemovedBrokers: []int32{1, 2},
					DisableConcurrencyAdjusterFor: []ConcurrencyType{LeadershipCluster}, MinISRBasedConcurrencyAdjustment: &yes,
				})
				return err
			}},
	} {
		var got string
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			query, err := url.QueryUnescape(r.URL.RawQuery)
			if err != nil {
				t.Error(err)
			}
			got = r.Method + " " + r.URL.Path + "?" + query
			says(200, "{}")(w, r)
		})
		if err := r.ask(t.Context(), newClient(t, s.URL)); err != nil {
			t.Errorf("%s: %v", r.want, err)
		}
		if got != r.want {
			t.Errorf("got  %s\nwant %s", got, r.want)
		}
		if _, has := s.requests()[0].header["Cookie"]; has || len(s.requests()) != 1 {
			t.Errorf("%s: a cookie, or sent twice", r.want)
		}
	}
}

func ignoreBroken(err error) error {
	if errors.Is(err, BrokenAnswer) {
		return nil
	}
	return err
}

// What is wrong in itself is not sent.
func TestRefusedRequests(t *testing.T) {
	s := newServer(t, says(200, "{}"))
	c := newClient(t, s.URL)
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"neither dry run nor execution": func() error { _, err := c.Rebalance(ctx, Submission{}, RebalanceParameters{}); return err },
		"no reason":                     func() error { _, err := c.Rebalance(ctx, Execute(""), RebalanceParameters{}); return err },
		"a reason that is shown as two": func() error { _, err := c.Rebalance(ctx, Execute("a&b"), RebalanceParameters{}); return err },
		"a reason that cuts answers":    func() error { return c.StopProposalExecution(ctx, "grün") },
		"a long reason":                 func() error { return c.PauseSampling(ctx, strings.Repeat("x", 257)) },
		"no broker":                     func() error { _, err := c.AddBroker(ctx, DryRun("r"), AddBrokerParameters{}); return err },
		"a negative broker": func() error {
			_, err := c.AddBroker(ctx, DryRun("r"), AddBrokerParameters{BrokerIDs: []int32{-1}})
			return err
		},
		"a broker removed onto itself": func() error {
			_, err := c.RemoveBroker(ctx, DryRun("r"), RemoveBrokerParameters{BrokerIDs: []int32{1}, DestinationBrokerIDs: []int32{0, 1}})
			return err
		},
		"nothing to demote": func() error { _, err := c.DemoteBroker(ctx, DryRun("r"), DemoteBrokerParameters{}); return err },
		"a relative log dir": func() error {
			_, err := c.RemoveDisks(ctx, DryRun("r"), RemoveDisksParameters{LogDirs{1: {"a"}}})
			return err
		},
		"a log dir that is two": func() error {
			_, err := c.RemoveDisks(ctx, DryRun("r"), RemoveDisksParameters{LogDirs{1: {"/a,2-/b"}}})
			return err
		},
		"a log dir that is decoded twice": func() error {
			_, err := c.RemoveDisks(ctx, DryRun("r"), RemoveDisksParameters{LogDirs{1: {"/a%2Cb"}}})
			return err
		},
		"goals and ready default goals": func() error {
			_, err := c.FixOfflineReplicas(ctx, DryRun("r"), FixOfflineReplicasParameters{GoalParameters: GoalParameters{Goals: []Goal{"a"}, UseReadyDefaultGoals: true}})
			return err
		},
		"goals for disks": func() error {
			_, err := c.Rebalance(ctx, DryRun("r"), RebalanceParameters{GoalParameters: GoalParameters{Goals: []Goal{"a"}}, RebalanceDisk: true})
			return err
		},
		"an empty goal": func() error {
			_, err := c.Rebalance(ctx, DryRun("r"), RebalanceParameters{GoalParameters: GoalParameters{Goals: []Goal{""}}})
			return err
		},
		"an unknown strategy": func() error {
			p := RebalanceParameters{}
			p.ReplicaMovementStrategies = []ReplicaMovementStrategy{"Foo"}
			_, err := c.Rebalance(ctx, DryRun("r"), p)
			return err
		},
		"a check interval that Cruise Control would refuse after planning": func() error {
			p := RebalanceParameters{}
			p.ExecutionProgressCheckInterval = time.Second
			_, err := c.Rebalance(ctx, DryRun("r"), p)
			return err
		},
		"a negative concurrency": func() error {
			p := RebalanceParameters{}
			p.ConcurrentLeaderMovements = -1
			_, err := c.Rebalance(ctx, DryRun("r"), p)
			return err
		},
		"no topics": func() error {
			_, err := c.TopicConfiguration(ctx, DryRun("r"), TopicConfigurationParameters{})
			return err
		},
		"RF of zero": func() error {
			_, err := c.TopicConfiguration(ctx, DryRun("r"), TopicConfigurationParameters{TopicByReplicationFactor: map[int]string{0: "a"}})
			return err
		},
		"topics that cut answers": func() error {
			_, err := c.TopicConfiguration(ctx, DryRun("r"), TopicConfigurationParameters{TopicByReplicationFactor: map[int]string{1: "ä", 2: "b"}})
			return err
		},
		"capacity only, and more": func() error {
			_, err := c.Load(ctx, LoadParameters{CapacityOnly: true, PopulateDiskInfo: true})
			return err
		},
		"nothing to administer": func() error { _, err := c.Admin(ctx, "r", AdminParameters{}); return err },
		"a GET that is too long": func() error {
			_, err := c.KafkaClusterState(ctx, KafkaClusterStateParameters{Topic: strings.Repeat("x", 9<<10)})
			return err
		},
	} {
		var e *Error
		if err := ask(); !errors.As(err, &e) || e.Class != InvalidSpec || !e.NotRegistered() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d were sent: %+v", n, s.requests())
	}
}

// What is too long for an address goes into a form; what names and describes the request stays where it is seen.
func TestForm(t *testing.T) {
	s := newServer(t, says(200, "{}"))
	goals := make([]Goal, 500)
	for i := range goals {
		goals[i] = "ReplicaDistributionGoal"
	}
	p := AddBrokerParameters{BrokerIDs: []int32{3}, GoalParameters: GoalParameters{Goals: goals, ExcludedTopics: strings.Repeat("x", 10<<10)}}
	if _, err := newClient(t, s.URL).AddBroker(t.Context(), Execute("r"), p); err != nil {
		t.Fatal(err)
	}
	r := s.requests()[0]
	form, err := url.ParseQuery(r.body)
	if err != nil {
		t.Fatal(err)
	}
	if r.contentType != "application/x-www-form-urlencoded" || len(form["goals"]) != 1 || len(form.Get("excluded_topics")) != 10<<10 || form.Get("brokerid") != "3" {
		t.Errorf("%s with %d bytes", r.contentType, len(r.body))
	}
	if r.query.Get("reason") != "r" || r.query.Get("dryrun") != "false" || r.query.Has("goals") {
		t.Errorf("got %v", r.query)
	}
}

func TestSeveralReplicationFactors(t *testing.T) {
	s := newServer(t, says(200, "{}"))
	p := TopicConfigurationParameters{TopicByReplicationFactor: map[int]string{2: "a", 3: "b"}}
	if _, err := newClient(t, s.URL).TopicConfiguration(t.Context(), Execute("r"), p); err != nil {
		t.Fatal(err)
	}
	r := s.requests()[0]
	if r.contentType != "application/json" || r.body != `{"replication_factor":{"topic_by_replication_factor":{"2":"a","3":"b"}}}` || r.query.Has("topic") || r.query.Get("reason") != "r" {
		t.Errorf("got %+v", r)
	}
}

// A task is continued by the same request with its id.
func TestContinue(t *testing.T) {
	s := newServer(t, says(202, `{"progress":[{"operation":"Remove brokers","operationProgress":[
		{"step":"PENDING","description":"Operation enqueued, waiting to be executed.","time-in-ms":3,"completionPercentage":100.0},
		{"step":"OPTIMIZING DiskCapacityGoal","description":"Optimizing goal DiskCapacityGoal","time-in-ms":9042,"completionPercentage":NaN}]}],"version":1}`))
	c := newClient(t, s.URL)
	p := RemoveBrokerParameters{BrokerIDs: []int32{3}}
	first, err := c.RemoveBroker(t.Context(), Execute("r"), p)
	if err != nil || first.Result != nil || first.TaskID == "" {
		t.Fatalf("got %+v, %v", first, err)
	}
	if steps := first.Progress[0].Steps; first.Progress[0].Operation != "Remove brokers" || steps[0].TimeInMs != 3 || steps[1].Step != "OPTIMIZING DiskCapacityGoal" {
		t.Errorf("got %+v", first.Progress)
	}
	if _, err := c.RemoveBroker(t.Context(), Execute("r").Continue(first.TaskID), p); err != nil {
		t.Fatal(err)
	}
	r := s.requests()
	if r[0].query.Encode() != r[1].query.Encode() || r[0].header.Get("User-Task-ID") != "" || r[1].header.Get("User-Task-ID") != string(first.TaskID) {
		t.Errorf("got %+v", r)
	}
	for _, err := range []error{
		second(c.State(t.Context(), StateParameters{Task: "t"})), second(c.Load(t.Context(), LoadParameters{Task: "t"})),
		second(c.Proposals(t.Context(), ProposalsParameters{Task: "t"})),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, r := range s.requests()[2:] {
		if r.header.Get("User-Task-ID") != "t" {
			t.Errorf("%s was not continued", r.path)
		}
	}
}

func second[T any](_ T, err error) error { return err }
