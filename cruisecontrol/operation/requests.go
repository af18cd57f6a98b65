package operation

import (
	"context"
	"strings"

	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	cc "koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/cruisecontrol/deployment"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
)

// plan has a plan made that is not executed, or asks how far it is.
func (s *scope) plan(ctx context.Context, a machine.Plan) machine.Answer {
	submission := cc.DryRun(a.Token)
	if a.Task != "" {
		submission = submission.Continue(a.Task)
	} else {
		attemptsMetric.WithLabelValues(s.op().Namespace, s.cluster.Name, string(s.op().Spec.Type), "plan").Inc()
	}
	return s.send(ctx, submission, a.Request)
}

// submit has a plan made and executed.
func (s *scope) submit(ctx context.Context, a machine.Submit) machine.Answer {
	attemptsMetric.WithLabelValues(s.op().Namespace, s.cluster.Name, string(s.op().Spec.Type), "execution").Inc()
	return s.send(ctx, cc.Execute(a.Token), a.Request)
}

// fetch asks for the plan of what was submitted.
func (s *scope) fetch(ctx context.Context, a machine.Fetch) machine.Answer {
	return s.send(ctx, cc.Execute(a.Token).Continue(a.Task), a.Request)
}

// endpoints are what Cruise Control calls the operations.
var endpoints = map[v1beta1.OperationType]string{
	v1beta1.AddBrokers:              "ADD_BROKER",
	v1beta1.RemoveBrokers:           "REMOVE_BROKER",
	v1beta1.DemoteBrokers:           "DEMOTE_BROKER",
	v1beta1.Rebalance:               "REBALANCE",
	v1beta1.RebalanceDisks:          "REBALANCE",
	v1beta1.RemoveDisks:             "REMOVE_DISKS",
	v1beta1.FixOfflineReplicas:      "FIX_OFFLINE_REPLICAS",
	v1beta1.ChangeReplicationFactor: "TOPIC_CONFIGURATION",
}

// find lists the tasks among which one of this operation would be.
func (s *scope) find(ctx context.Context, a machine.Find) machine.Answer {
	tasks, err := s.session.CruiseControl().UserTasks(ctx, cc.UserTasksParameters{Endpoints: []string{strings.ToLower(endpoints[a.Type])}})
	return machine.Answer{Tasks: tasks, Err: err}
}

// send sends a request. Every parameter that has a default in Cruise Control is named.
func (s *scope) send(ctx context.Context, submission cc.Submission, r machine.Request) machine.Answer {
	r.Spec = s.withEstimates(r.Spec)
	client, spec := s.session.CruiseControl(), r.Spec
	goals, execution := goalParameters(r), executionParameters(spec)
	var answer cc.Answer[cc.Plan]
	var err error
	switch spec.Type {
	case v1beta1.AddBrokers:
		answer, err = client.AddBroker(ctx, submission, cc.AddBrokerParameters{BrokerIDs: spec.Brokers, GoalParameters: goals, ExecutionParameters: execution})
	case v1beta1.RemoveBrokers:
		answer, err = client.RemoveBroker(ctx, submission, cc.RemoveBrokerParameters{
			BrokerIDs: spec.Brokers, DestinationBrokerIDs: r.Destinations, GoalParameters: goals, ExecutionParameters: execution,
		})
	case v1beta1.DemoteBrokers:
		answer, err = client.DemoteBroker(ctx, submission, demoteParameters(spec, execution))
	case v1beta1.Rebalance, v1beta1.RebalanceDisks:
		p := cc.RebalanceParameters{GoalParameters: goals, ExecutionParameters: execution, DestinationBrokerIDs: r.Destinations}
		p.RebalanceDisk = spec.Type == v1beta1.RebalanceDisks
		p.ConcurrentIntraBrokerPartitionMovements = intraBroker(spec)
		answer, err = client.Rebalance(ctx, submission, p)
	case v1beta1.RemoveDisks:
		answer, err = client.RemoveDisks(ctx, submission, cc.RemoveDisksParameters{BrokerIDAndLogDirs: logDirs(spec)})
	case v1beta1.FixOfflineReplicas:
		answer, err = client.FixOfflineReplicas(ctx, submission, cc.FixOfflineReplicasParameters{GoalParameters: goals, ExecutionParameters: execution})
	case v1beta1.ChangeReplicationFactor:
		answer, err = client.TopicConfiguration(ctx, submission, topicParameters(spec, goals, execution))
	}
	return machine.Answer{Plan: answer, Err: err}
}

// withEstimates lets plans be made with brokers that only the entry for all of the capacity file speaks of, where Koperator has
// written it.
func (s *scope) withEstimates(spec *v1beta1.CruiseControlOperationSpec) *v1beta1.CruiseControlOperationSpec {
	if !deployment.AllowsEstimates(s.cluster) {
		return spec
	}
	allowing := *spec
	allowing.AllowCapacityEstimation = true
	return &allowing
}

func goalParameters(r machine.Request) cc.GoalParameters {
	spec := r.Spec
	p := cc.GoalParameters{
		SkipHardGoalCheck:             spec.SkipHardGoalCheck,
		UseReadyDefaultGoals:          spec.UseReadyDefaultGoals,
		DataFrom:                      cc.ValidWindows,
		ExcludedTopics:                spec.ExcludedTopics,
		ExcludeRecentlyRemovedBrokers: ptr.Deref(spec.ExcludeRecentlyRemovedBrokers, true) && !r.IncludeRemoved,
		ExcludeRecentlyDemotedBrokers: ptr.Deref(spec.ExcludeRecentlyDemotedBrokers, false),
		AllowCapacityEstimation:       spec.AllowCapacityEstimation,
		FastMode:                      true,
	}
	if spec.DataFrom == v1beta1.ValidPartitions {
		p.DataFrom = cc.ValidPartitions
	}
	for _, goal := range spec.Goals {
		p.Goals = append(p.Goals, cc.Goal(goal))
	}
	return p
}

func executionParameters(spec *v1beta1.CruiseControlOperationSpec) cc.ExecutionParameters {
	p := cc.ExecutionParameters{}
	if c := spec.Concurrency; c != nil {
		p.ConcurrentPartitionMovementsPerBroker, p.MaxPartitionMovementsInCluster = int(c.PerBroker), int(c.Cluster)
		p.ConcurrentLeaderMovements, p.BrokerConcurrentLeaderMovements = int(c.Leaders), int(c.LeadersPerBroker)
	}
	for _, strategy := range spec.ReplicaMovementStrategies {
		p.ReplicaMovementStrategies = append(p.ReplicaMovementStrategies, cc.ReplicaMovementStrategy(strategy))
	}
	return p
}

func intraBroker(spec *v1beta1.CruiseControlOperationSpec) int {
	if spec.Concurrency == nil {
		return 0
	}
	return int(spec.Concurrency.IntraBroker)
}

func demoteParameters(spec *v1beta1.CruiseControlOperationSpec, execution cc.ExecutionParameters) cc.DemoteBrokerParameters {
	return cc.DemoteBrokerParameters{
		BrokerIDs: spec.Brokers, SkipURPDemotion: true, ExcludeFollowerDemotion: true,
		ExcludeRecentlyDemotedBrokers: ptr.Deref(spec.ExcludeRecentlyDemotedBrokers, false), AllowCapacityEstimation: spec.AllowCapacityEstimation,
		ConcurrentLeaderMovements: execution.ConcurrentLeaderMovements, BrokerConcurrentLeaderMovements: execution.BrokerConcurrentLeaderMovements,
		ReplicaMovementStrategies: execution.ReplicaMovementStrategies,
	}
}

func logDirs(spec *v1beta1.CruiseControlOperationSpec) cc.LogDirs {
	dirs := cc.LogDirs{}
	for _, disks := range spec.Disks {
		for _, path := range disks.Paths {
			dirs[disks.Broker] = append(dirs[disks.Broker], v1beta1.LogDir(path))
		}
	}
	return dirs
}

func topicParameters(spec *v1beta1.CruiseControlOperationSpec, goals cc.GoalParameters, execution cc.ExecutionParameters) cc.TopicConfigurationParameters {
	p := cc.TopicConfigurationParameters{
		TopicByReplicationFactor: map[int]string{}, SkipRackAwarenessCheck: spec.SkipRackAwarenessCheck, GoalParameters: goals, ExecutionParameters: execution,
	}
	for _, topic := range spec.Topics {
		p.TopicByReplicationFactor[int(topic.ReplicationFactor)] = topic.Pattern
	}
	return p
}
