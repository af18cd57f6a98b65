package cruisecontrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is how a Cruise Control is configured, by the names of cruisecontrol.properties, and how fast it is.
type Config struct {
	MaxBlockTime                            time.Duration // webserver.request.maxBlockTimeMs
	MaxActiveUserTasks                      int           // max.active.user.tasks
	CompletedUserTaskRetention              time.Duration // completed.user.task.retention.time.ms
	MaxCachedCompletedUserTasks             int           // max.cached.completed.user.tasks
	CompletedKafkaAdminRetention            time.Duration // completed.kafka.admin.user.task.retention.time.ms; 0: as for all
	MaxCachedCompletedKafkaAdminTasks       int           // max.cached.completed.kafka.admin.user.tasks; 0: as for all
	TwoStepVerification                     bool          // two.step.verification.enabled
	AutoStopExternalAgent                   bool          // auto.stop.external.agent
	ExecutionProgressCheckInterval          time.Duration // execution.progress.check.interval.ms
	MinExecutionProgressCheckInterval       time.Duration // min.execution.progress.check.interval.ms
	ConcurrentPartitionMovementsPerBroker   int           // num.concurrent.partition.movements.per.broker
	MaxClusterPartitionMovements            int           // max.num.cluster.partition.movements
	ConcurrentIntraBrokerPartitionMovements int           // num.concurrent.intra.broker.partition.movements
	ConcurrentLeaderMovements               int           // num.concurrent.leader.movements
	ConcurrentLeaderMovementsPerBroker      int           // num.concurrent.leader.movements.per.broker
	DefaultReplicationThrottle              int64         // default.replication.throttle; 0: none
	PartitionMetricsWindow                  time.Duration // partition.metrics.window.ms
	NumPartitionMetricsWindows              int           // num.partition.metrics.windows
	RemovalHistoryRetention                 time.Duration // removal.history.retention.time.ms
	Goals, DefaultGoals, HardGoals          []string      // goals, default.goals, hard.goals
	// Capacity is the content of capacity.config.file. Nil: every broker is known and has room for everything.
	Capacity *Capacity

	// Users by name, for basic authentication. Nil: everybody may do everything.
	Users map[string]User
	// LoginURL is where requests without a token are sent, as with JWT.
	LoginURL string

	// AddOpens says that the process was started with --add-opens=java.base/java.lang=ALL-UNNAMED.
	AddOpens bool
	// NoSamples says that nothing was measured before the first start; and NoSampleStore that nothing is kept over a restart.
	NoSamples, NoSampleStore bool

	// PlanningTime is how long a plan takes, InitializingTime how long from there to its execution, LoadingTime how long
	// samples are loaded after a start.
	PlanningTime, InitializingTime, LoadingTime time.Duration
}

// Role is what a user may do.
type Role string

const (
	Viewer Role = "VIEWER"
	Reader Role = "USER"
	Admin  Role = "ADMIN"
)

// User is one user.
type User struct {
	Password string
	Role     Role
}

// The goals that Cruise Control is shipped with and that are hard there.
var (
	shippedGoals = []string{
		"RackAwareGoal", "RackAwareDistributionGoal", "BrokerSetAwareGoal", "MinTopicLeadersPerBrokerGoal", "ReplicaCapacityGoal", "DiskCapacityGoal",
		"NetworkInboundCapacityGoal", "NetworkOutboundCapacityGoal", "CpuCapacityGoal", "ReplicaDistributionGoal", "PotentialNwOutGoal",
		"DiskUsageDistributionGoal", "NetworkInboundUsageDistributionGoal", "NetworkOutboundUsageDistributionGoal", "CpuUsageDistributionGoal",
		"TopicReplicaDistributionGoal", "LeaderReplicaDistributionGoal", "LeaderBytesInDistributionGoal", "PreferredLeaderElectionGoal",
	}
	defaultGoals = []string{"RackAwareGoal", "ReplicaCapacityGoal", "DiskCapacityGoal", "ReplicaDistributionGoal", "DiskUsageDistributionGoal", "LeaderReplicaDistributionGoal"}
	hardGoals    = []string{"RackAwareGoal", "ReplicaCapacityGoal", "DiskCapacityGoal"}
)

// DefaultConfig is Cruise Control's, where nothing is configured, and as fast as possible.
func DefaultConfig() Config {
	return Config{
		MaxBlockTime:                            10 * time.Second,
		MaxActiveUserTasks:                      5,
		CompletedUserTaskRetention:              24 * time.Hour,
		MaxCachedCompletedUserTasks:             25,
		AutoStopExternalAgent:                   true,
		ExecutionProgressCheckInterval:          10 * time.Second,
		MinExecutionProgressCheckInterval:       5 * time.Second,
		ConcurrentPartitionMovementsPerBroker:   5,
		MaxClusterPartitionMovements:            1250,
		ConcurrentIntraBrokerPartitionMovements: 2,
		ConcurrentLeaderMovements:               1000,
		ConcurrentLeaderMovementsPerBroker:      250,
		PartitionMetricsWindow:                  time.Hour,
		NumPartitionMetricsWindows:              5,
		RemovalHistoryRetention:                 14 * 24 * time.Hour,
		Goals:                                   shippedGoals,
		DefaultGoals:                            defaultGoals,
		HardGoals:                               hardGoals,
		InitializingTime:                        100 * time.Millisecond,
		LoadingTime:                             time.Second,
	}
}

// Properties changes what cruisecontrol.properties says, and leaves what it does not know.
func (c *Config) Properties(values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := c.set(name, strings.TrimSpace(values[name])); err != nil {
			return fmt.Errorf("reading property %s: %w", name, err)
		}
	}
	return c.check()
}

// check refuses what Cruise Control does not start with.
func (c *Config) check() error {
	for _, goal := range c.HardGoals {
		if !slices.Contains(c.DefaultGoals, goal) {
			return fmt.Errorf("the hard goal %s is none of default.goals", goal)
		}
	}
	for _, goal := range c.DefaultGoals {
		if !slices.Contains(c.Goals, goal) && !strings.HasPrefix(goal, "IntraBroker") {
			return fmt.Errorf("the default goal %s is none of goals", goal)
		}
	}
	if c.MinExecutionProgressCheckInterval > c.ExecutionProgressCheckInterval {
		return errors.New("min.execution.progress.check.interval.ms is more than execution.progress.check.interval.ms")
	}
	return nil
}

func (c *Config) set(name, value string) error {
	if field, ok := c.durations()[name]; ok {
		ms, err := strconv.ParseInt(value, 10, 64)
		*field = time.Duration(ms) * time.Millisecond
		return err
	}
	if field, ok := c.numbers()[name]; ok {
		var err error
		*field, err = strconv.Atoi(value)
		return err
	}
	if field, ok := c.goals()[name]; ok {
		*field = simpleNames(value)
		return nil
	}
	switch name {
	case "two.step.verification.enabled":
		c.TwoStepVerification = value == "true"
	case "auto.stop.external.agent":
		c.AutoStopExternalAgent = value == "true"
	case "sample.store.class":
		c.NoSampleStore = strings.HasSuffix(value, "NoopSampleStore")
	case "default.replication.throttle":
		var err error
		c.DefaultReplicationThrottle, err = strconv.ParseInt(value, 10, 64)
		return err
	}
	return nil
}

func (c *Config) durations() map[string]*time.Duration {
	return map[string]*time.Duration{
		"webserver.request.maxBlockTimeMs":                  &c.MaxBlockTime,
		"completed.user.task.retention.time.ms":             &c.CompletedUserTaskRetention,
		"completed.kafka.admin.user.task.retention.time.ms": &c.CompletedKafkaAdminRetention,
		"execution.progress.check.interval.ms":              &c.ExecutionProgressCheckInterval,
		"min.execution.progress.check.interval.ms":          &c.MinExecutionProgressCheckInterval,
		"partition.metrics.window.ms":                       &c.PartitionMetricsWindow,
		"removal.history.retention.time.ms":                 &c.RemovalHistoryRetention,
	}
}

func (c *Config) numbers() map[string]*int {
	return map[string]*int{
		"max.active.user.tasks":                           &c.MaxActiveUserTasks,
		"max.cached.completed.user.tasks":                 &c.MaxCachedCompletedUserTasks,
		"max.cached.completed.kafka.admin.user.tasks":     &c.MaxCachedCompletedKafkaAdminTasks,
		"num.concurrent.partition.movements.per.broker":   &c.ConcurrentPartitionMovementsPerBroker,
		"max.num.cluster.partition.movements":             &c.MaxClusterPartitionMovements,
		"num.concurrent.intra.broker.partition.movements": &c.ConcurrentIntraBrokerPartitionMovements,
		"num.concurrent.leader.movements":                 &c.ConcurrentLeaderMovements,
		"num.concurrent.leader.movements.per.broker":      &c.ConcurrentLeaderMovementsPerBroker,
		"num.partition.metrics.windows":                   &c.NumPartitionMetricsWindows,
	}
}

func (c *Config) goals() map[string]*[]string {
	return map[string]*[]string{"goals": &c.Goals, "default.goals": &c.DefaultGoals, "hard.goals": &c.HardGoals}
}

// simpleNames are the goals of a list of classes.
func simpleNames(value string) []string {
	var names []string
	for class := range strings.SplitSeq(value, ",") {
		if class = strings.TrimSpace(class); class != "" {
			names = append(names, class[strings.LastIndexByte(class, '.')+1:])
		}
	}
	return names
}

// Capacity is what brokers have, by their ids; "-1" is for all others.
type Capacity struct {
	Brokers []BrokerCapacity `json:"brokerCapacities"`
}

// BrokerCapacity is one entry. All its values are strings, as Cruise Control insists.
type BrokerCapacity struct {
	BrokerID string `json:"brokerId"`
	Capacity struct {
		// Disk is MB, or MB by log dir.
		Disk json.RawMessage `json:"DISK"`
	} `json:"capacity"`
}

// ParseCapacity reads capacity.json.
func ParseCapacity(data []byte) (*Capacity, error) {
	c := &Capacity{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("reading capacity: %w", err)
	}
	for _, b := range c.Brokers {
		if _, err := b.disks(); err != nil {
			return nil, fmt.Errorf("reading capacity of broker %s: %w", b.BrokerID, err)
		}
	}
	return c, nil
}

// disks are MB by log dir; without dirs, all is by "".
func (b BrokerCapacity) disks() (map[string]float64, error) {
	var one string
	byDir := map[string]string{}
	if err := json.Unmarshal(b.Capacity.Disk, &byDir); err != nil {
		if err := json.Unmarshal(b.Capacity.Disk, &one); err != nil {
			return nil, err
		}
		byDir = map[string]string{"": one}
	}
	disks := map[string]float64{}
	for dir, mb := range byDir {
		number, err := strconv.ParseFloat(mb, 64)
		if err != nil {
			return nil, err
		}
		disks[dir] = number
	}
	return disks, nil
}

// unlimited is the capacity of a disk where none is configured, in MB.
const unlimited = 1_000_000_000

// of returns the disks of a broker, and whether they are those of the entry for all others.
func (c *Capacity) of(id int32) (disks map[string]float64, estimated, known bool) {
	if c == nil {
		return map[string]float64{"": unlimited}, false, true
	}
	for _, name := range []string{strconv.Itoa(int(id)), "-1"} {
		i := slices.IndexFunc(c.Brokers, func(b BrokerCapacity) bool { return b.BrokerID == name })
		if i >= 0 {
			disks, _ := c.Brokers[i].disks() // ParseCapacity has read them
			return disks, name == "-1", true
		}
	}
	return nil, false, false
}
