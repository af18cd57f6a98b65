package client

import (
	"context"
	"slices"
)

// Substate is a part of Cruise Control's state.
type Substate string

const (
	SubstateExecutor        Substate = "executor"
	SubstateAnalyzer        Substate = "analyzer"
	SubstateMonitor         Substate = "monitor"
	SubstateAnomalyDetector Substate = "anomaly_detector"
)

var allSubstates = []Substate{SubstateExecutor, SubstateAnalyzer, SubstateMonitor, SubstateAnomalyDetector}

// StateParameters of GET state.
type StateParameters struct {
	// Substates that are read. Empty: all.
	Substates []Substate
	// Verbose adds the plan that is being executed, the goals' readiness and the monitored windows.
	Verbose bool
	// Task continues one.
	Task TaskID
}

// State is what Cruise Control is doing. Substates that were not asked for are nil.
type State struct {
	Executor        *ExecutorState        `json:"ExecutorState"`
	Monitor         *MonitorState         `json:"MonitorState"`
	Analyzer        *AnalyzerState        `json:"AnalyzerState"`
	AnomalyDetector *AnomalyDetectorState `json:"AnomalyDetectorState"`
}

// ExecutorPhase is what the executor is doing.
type ExecutorPhase string

const (
	NoTaskInProgress                     ExecutorPhase = "NO_TASK_IN_PROGRESS"
	GeneratingProposalsForExecution      ExecutorPhase = "GENERATING_PROPOSALS_FOR_EXECUTION"
	InitializingProposalExecution        ExecutorPhase = "INITIALIZING_PROPOSAL_EXECUTION"
	StartingExecution                    ExecutorPhase = "STARTING_EXECUTION"
	InterBrokerReplicaMovementInProgress ExecutorPhase = "INTER_BROKER_REPLICA_MOVEMENT_TASK_IN_PROGRESS"
	IntraBrokerReplicaMovementInProgress ExecutorPhase = "INTRA_BROKER_REPLICA_MOVEMENT_TASK_IN_PROGRESS"
	LeaderMovementInProgress             ExecutorPhase = "LEADER_MOVEMENT_TASK_IN_PROGRESS"
	StoppingExecution                    ExecutorPhase = "STOPPING_EXECUTION"
)

// ExecutorState is what is being executed. It counts the movements of its phase only, and none before the first one.
type ExecutorState struct {
	Phase                      ExecutorPhase `json:"state"`
	TriggeredUserTaskID        TaskID        `json:"triggeredUserTaskId"`
	TriggeredSelfHealingTaskID string        `json:"triggeredSelfHealingTaskId"`
	// TriggeredTaskReason begins with the reason of the request; its client and date follow.
	TriggeredTaskReason string `json:"triggeredTaskReason"`

	// RecentlyRemovedBrokers and RecentlyDemotedBrokers are excluded by plans that are asked to; also of operations that
	// failed or were stopped.
	RecentlyRemovedBrokers []int32 `json:"recentlyRemovedBrokers"`
	RecentlyDemotedBrokers []int32 `json:"recentlyDemotedBrokers"`

	InterBrokerMovements
	IntraBrokerMovements
	LeadershipMovements

	// Error is set when the executor is in no state it knows.
	Error string `json:"error"`
}

// InterBrokerMovements are those of replicas between brokers. Data is in MB, and counts a partition when all of it moved, or
// when it was given up. While stopping, there are no totals.
type InterBrokerMovements struct {
	NumTotalPartitionMovements      int   `json:"numTotalPartitionMovements"`
	NumPendingPartitionMovements    int   `json:"numPendingPartitionMovements"`
	NumInProgressPartitionMovements int   `json:"numInProgressPartitionMovements"`
	NumFinishedPartitionMovements   int   `json:"numFinishedPartitionMovements"`
	NumCancelledPartitionMovements  int   `json:"numCancelledPartitionMovements"`
	AbortingPartitions              int   `json:"abortingPartitions"`
	FinishedDataMovement            int64 `json:"finishedDataMovement"`
	TotalDataToMove                 int64 `json:"totalDataToMove"`

	MaximumConcurrentPartitionMovementsPerBroker int   `json:"maximumConcurrentPartitionMovementsPerBroker"`
	MinimumConcurrentPartitionMovementsPerBroker int   `json:"minimumConcurrentPartitionMovementsPerBroker"`
	AverageConcurrentPartitionMovementsPerBroker Float `json:"averageConcurrentPartitionMovementsPerBroker"`

	// The plan that is being executed: verbose only.
	PendingPartitionMovement    []ExecutionTask `json:"pendingPartitionMovement"`
	InProgressPartitionMovement []ExecutionTask `json:"inProgressPartitionMovement"`
	AbortingPartitionMovement   []ExecutionTask `json:"abortingPartitionMovement"`
	AbortedPartitionMovement    []ExecutionTask `json:"abortedPartitionMovement"`
	DeadPartitionMovement       []ExecutionTask `json:"deadPartitionMovement"`
	CompletedPartitionMovement  []ExecutionTask `json:"completedPartitionMovement"`
	CancelledPartitionMovement  []ExecutionTask `json:"cancelledPartitionMovement"`
}

// IntraBrokerMovements are those of replicas between the disks of a broker.
type IntraBrokerMovements struct {
	NumTotalIntraBrokerPartitionMovements      int   `json:"numTotalIntraBrokerPartitionMovements"`
	NumPendingIntraBrokerPartitionMovements    int   `json:"numPendingIntraBrokerPartitionMovements"`
	NumInProgressIntraBrokerPartitionMovements int   `json:"numInProgressIntraBrokerPartitionMovements"`
	NumFinishedIntraBrokerPartitionMovements   int   `json:"numFinishedIntraBrokerPartitionMovements"`
	NumCancelledIntraBrokerPartitionMovements  int   `json:"numCancelledIntraBrokerPartitionMovements"`
	NumAbortingIntraBrokerPartitionMovements   int   `json:"numAbortingIntraBrokerPartitionMovements"`
	FinishedIntraBrokerDataMovement            int64 `json:"finishedIntraBrokerDataMovement"`
	TotalIntraBrokerDataToMove                 int64 `json:"totalIntraBrokerDataToMove"`

	MaximumConcurrentIntraBrokerPartitionMovementsPerBroker int   `json:"maximumConcurrentIntraBrokerPartitionMovementsPerBroker"`
	MinimumConcurrentIntraBrokerPartitionMovementsPerBroker int   `json:"minimumConcurrentIntraBrokerPartitionMovementsPerBroker"`
	AverageConcurrentIntraBrokerPartitionMovementsPerBroker Float `json:"averageConcurrentIntraBrokerPartitionMovementsPerBroker"`
}

// LeadershipMovements are those of leaders.
type LeadershipMovements struct {
	NumTotalLeadershipMovements     int `json:"numTotalLeadershipMovements"`
	NumPendingLeadershipMovements   int `json:"numPendingLeadershipMovements"`
	NumFinishedLeadershipMovements  int `json:"numFinishedLeadershipMovements"`
	NumCancelledLeadershipMovements int `json:"numCancelledLeadershipMovements"`

	MaximumBrokerLeaderMovementConcurrency int   `json:"maximumBrokerLeaderMovementConcurrency"`
	MinimumBrokerLeaderMovementConcurrency int   `json:"minimumBrokerLeaderMovementConcurrency"`
	AverageBrokerLeaderMovementConcurrency Float `json:"averageBrokerLeaderMovementConcurrency"`
	ClusterLeaderMovementConcurrency       int   `json:"clusterLeaderMovementConcurrency"`
}

// ExecutionTask is one movement of the plan that is being executed.
type ExecutionTask struct {
	ExecutionID int64    `json:"executionId"`
	Type        string   `json:"type"`  // INTER_BROKER_REPLICA_ACTION
	State       string   `json:"state"` // IN_PROGRESS
	Proposal    Proposal `json:"proposal"`
}

// ExecutionTasks are all movements between brokers of the plan that is being executed: with StateParameters.Verbose, and
// while replicas move between brokers.
func (e *ExecutorState) ExecutionTasks() []ExecutionTask {
	m := &e.InterBrokerMovements
	return slices.Concat(m.PendingPartitionMovement, m.InProgressPartitionMovement, m.AbortingPartitionMovement, m.AbortedPartitionMovement,
		m.DeadPartitionMovement, m.CompletedPartitionMovement, m.CancelledPartitionMovement)
}

// MonitorPhase is what the load monitor is doing.
type MonitorPhase string

const (
	MonitorNotStarted    MonitorPhase = "NOT_STARTED"
	MonitorLoading       MonitorPhase = "LOADING"
	MonitorRunning       MonitorPhase = "RUNNING"
	MonitorSampling      MonitorPhase = "SAMPLING"
	MonitorPaused        MonitorPhase = "PAUSED"
	MonitorBootstrapping MonitorPhase = "BOOTSTRAPPING"
	MonitorTraining      MonitorPhase = "TRAINING"
)

// MonitorState is what Cruise Control has seen of the cluster's load. How many of the windows are valid is not said.
type MonitorState struct {
	Phase                 MonitorPhase `json:"state"`
	Trained               bool         `json:"trained"`
	TrainingPct           Float        `json:"trainingPct"`
	NumMonitoredWindows   int          `json:"numMonitoredWindows"`
	NumValidPartitions    int          `json:"numValidPartitions"`
	NumTotalPartitions    int          `json:"numTotalPartitions"` // 0 before the first window
	MonitoringCoveragePct Float        `json:"monitoringCoveragePct"`
	NumFlawedPartitions   int          `json:"numFlawedPartitions"` // -1 while loading
	LoadingProgressPct    Float        `json:"loadingProgressPct"`  // while loading
	// ReasonOfLatestPauseOrResume while running or paused.
	ReasonOfLatestPauseOrResume string `json:"reasonOfLatestPauseOrResume"`
	// MonitoredWindows are the shares of partitions that were measured, by the window's beginning: verbose only.
	MonitoredWindows map[string]Float `json:"monitoredWindows"`
}

// AnalyzerState is what Cruise Control could plan. That no proposal is ready says nothing about whether it can plan: it is so
// too while the default goals cannot be met.
type AnalyzerState struct {
	IsProposalReady bool   `json:"isProposalReady"`
	ReadyGoals      []Goal `json:"readyGoals"`
	// GoalReadiness: verbose only.
	GoalReadiness []GoalReadiness `json:"goalReadiness"`
}

// GoalReadiness is whether enough is known of the load for a goal.
type GoalReadiness struct {
	Name                     Goal   `json:"name"`
	Status                   string `json:"status"` // ready, notReady
	ModelCompleteRequirement struct {
		RequiredNumSnapshots           int   `json:"requiredNumSnapshots"`
		MinMonitoredPartitionsFraction Float `json:"minMonitoredPartitionsPercentage"`
		IncludeAllTopics               bool  `json:"includeAllTopics"`
	} `json:"modelCompleteRequirement"`
}

// AnomalyDetectorState is what Cruise Control would heal by itself.
type AnomalyDetectorState struct {
	SelfHealingEnabled        []AnomalyType         `json:"selfHealingEnabled"`
	SelfHealingDisabled       []AnomalyType         `json:"selfHealingDisabled"`
	SelfHealingEnabledRatio   map[AnomalyType]Float `json:"selfHealingEnabledRatio"`
	RecentGoalViolations      []Anomaly             `json:"recentGoalViolations"`
	RecentBrokerFailures      []Anomaly             `json:"recentBrokerFailures"`
	RecentDiskFailures        []Anomaly             `json:"recentDiskFailures"`
	RecentMetricAnomalies     []Anomaly             `json:"recentMetricAnomalies"`
	RecentTopicAnomalies      []Anomaly             `json:"recentTopicAnomalies"`
	RecentMaintenanceEvents   []Anomaly             `json:"recentMaintenanceEvents"`
	OngoingSelfHealingAnomaly string                `json:"ongoingSelfHealingAnomaly"`
	BalancednessScore         Float                 `json:"balancednessScore"`
}

// Anomaly is one that was detected.
type Anomaly struct {
	AnomalyID   string `json:"anomalyId"`
	Status      string `json:"status"` // FIX_STARTED
	DetectionMs int64  `json:"detectionMs"`
}

// State implements Client.
func (c *client) State(ctx context.Context, p StateParameters) (Answer[State], error) {
	params := reading()
	substates := p.Substates
	if len(substates) == 0 {
		substates = allSubstates
	}
	words(params, "substates", substates)
	params.bool("verbose", p.Verbose)
	params.bool("super_verbose", false)
	r := get("state", params)
	r.task = p.Task
	return ask[State](ctx, c, r)
}
