// Package fakekafka speaks Kafka's protocol for a model.Model, so that what administers Kafka with franz-go can be tested on it.
//
// kfake does the speaking. By itself it accepts reassignments and movements between log dirs, and moves nothing: the model
// answers those requests, and those that show their effect. Brokers that the model has stopped still accept connections.
// Records, groups and everything else are kfake's own, and know nothing of the model.
package fakekafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

// Cluster is a model that can be reached.
type Cluster struct {
	*kfake.Cluster
	ctx   context.Context
	model *model.Model
	// requests are answered by their keys.
	requests map[int16]func(int32, kmsg.Request) kmsg.Response
}

// New serves brokers 0 to n-1 of a model.
func New(ctx context.Context, m *model.Model, n int, opts ...kfake.Opt) (*Cluster, error) {
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(n)}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("starting kfake: %w", err)
	}
	c := &Cluster{Cluster: fake, ctx: ctx, model: m}
	c.requests = map[int16]func(int32, kmsg.Request) kmsg.Response{
		kmsg.ApiVersions.Int16():                everyVersion,
		kmsg.DescribeQuorum.Int16():             c.describeQuorum,
		kmsg.DescribeCluster.Int16():            c.describeCluster,
		kmsg.Metadata.Int16():                   c.metadata,
		kmsg.DescribeLogDirs.Int16():            c.describeLogDirs,
		kmsg.AlterPartitionAssignments.Int16():  c.alterAssignments,
		kmsg.ListPartitionReassignments.Int16(): c.listReassignments,
		kmsg.AlterReplicaLogDirs.Int16():        c.alterLogDirs,
		kmsg.ElectLeaders.Int16():               c.electLeaders,
		kmsg.DescribeConfigs.Int16():            c.describeConfigs,
		kmsg.IncrementalAlterConfigs.Int16():    c.alterConfigs,
	}
	fake.Control(c.control)
	return c, nil
}

func (c *Cluster) control(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake fixes the order
	c.KeepControl()
	answer := c.requests[req.Key()]
	if answer == nil {
		return nil, nil, false
	}
	return answer(c.CurrentNode(), req), nil, true
}

func (c *Cluster) seen() backend.Cluster {
	cluster, _ := c.model.Cluster(c.ctx) // a model does not fail
	return cluster
}

// code is Kafka's code for what the model says.
func code(err error) int16 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, backend.ErrRefused):
		return kerr.InvalidReplicaAssignment.Code
	}
	return kerr.UnknownServerError.Code
}

func (c *Cluster) metadata(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	cluster := c.seen()
	for i, address := range c.ListenAddrs() {
		b, alive := cluster.Brokers[int32(i)]
		if !alive {
			continue
		}
		broker := kmsg.NewMetadataResponseBroker()
		host, port, _ := net.SplitHostPort(address)
		number, _ := strconv.ParseInt(port, 10, 32)
		broker.NodeID, broker.Host, broker.Port, broker.Rack = b.ID, host, int32(number), kmsg.StringPtr(b.Rack)
		resp.Brokers = append(resp.Brokers, broker)
		resp.ControllerID = b.ID
	}
	wanted := req.(*kmsg.MetadataRequest).Topics
	for _, p := range cluster.Partitions {
		if wanted != nil && !slices.ContainsFunc(wanted, func(t kmsg.MetadataRequestTopic) bool { return t.Topic != nil && *t.Topic == p.Topic }) {
			continue
		}
		if n := len(resp.Topics); n == 0 || *resp.Topics[n-1].Topic != p.Topic {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = kmsg.StringPtr(p.Topic)
			resp.Topics = append(resp.Topics, topic)
		}
		partition := kmsg.NewMetadataResponseTopicPartition()
		partition.Partition, partition.Leader, partition.Replicas, partition.ISR, partition.OfflineReplicas = p.Partition, p.Leader, p.Replicas, p.ISR, p.Offline
		if p.Leader < 0 {
			partition.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		last := &resp.Topics[len(resp.Topics)-1]
		last.Partitions = append(last.Partitions, partition)
	}
	return resp
}

// everyVersion says that the brokers know every request.
func everyVersion(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	for key := range int16(kmsg.MaxKey + 1) {
		if r := kmsg.RequestForKey(key); r != nil {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = key, r.MaxVersion()
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
	}
	return resp
}

// controller is the id of a controller, of which a model has none.
const controller = 1000

// describeQuorum has one controller, and every broker as an observer that has caught up.
func (c *Cluster) describeQuorum(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	now := time.Now().UnixMilli()
	replica := func(id int32) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
		r := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		r.ReplicaID, r.LogEndOffset, r.LastCaughtUpTimestamp, r.LastFetchTimestamp = id, 1, now, now
		return r
	}
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.LeaderID, p.CurrentVoters = controller, append(p.CurrentVoters, replica(controller))
	for id := range c.seen().Brokers {
		p.Observers = append(p.Observers, replica(id))
	}
	topic := kmsg.NewDescribeQuorumResponseTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, p)
	resp.Topics = append(resp.Topics, topic)
	return resp
}

// describeCluster has also the brokers that do not serve.
func (c *Cluster) describeCluster(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterID, resp.ControllerID = "model", controller
	serving := c.seen().Brokers
	for _, id := range c.model.Registered(c.ctx) {
		b := kmsg.NewDescribeClusterResponseBroker()
		b.NodeID, b.Host, b.Port = id, "b"+strconv.Itoa(int(id)), 9091
		alive, serves := serving[id]
		if b.IsFenced = !serves; serves {
			b.Rack = kmsg.StringPtr(alive.Rack)
		}
		resp.Brokers = append(resp.Brokers, b)
	}
	return resp
}

func (c *Cluster) describeLogDirs(node int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	for _, d := range c.seen().Brokers[node].LogDirs {
		dir := kmsg.NewDescribeLogDirsResponseDir()
		dir.Dir = d.Path
		if d.Dead {
			dir.ErrorCode = kerr.KafkaStorageError.Code
		}
		for _, tp := range partitions(d.Replicas, d.Future) {
			p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			p.Partition, p.Size = tp.Partition, d.Replicas[tp]
			if bytes, future := d.Future[tp]; future {
				p.Size, p.IsFuture = bytes, true
			}
			if n := len(dir.Topics); n == 0 || dir.Topics[n-1].Topic != tp.Topic {
				topic := kmsg.NewDescribeLogDirsResponseDirTopic()
				topic.Topic = tp.Topic
				dir.Topics = append(dir.Topics, topic)
			}
			last := &dir.Topics[len(dir.Topics)-1]
			last.Partitions = append(last.Partitions, p)
		}
		resp.Dirs = append(resp.Dirs, dir)
	}
	return resp
}

// partitions are those of some maps, in order: answers have each topic once.
func partitions[T any](of ...map[backend.TopicPartition]T) []backend.TopicPartition {
	all := map[backend.TopicPartition]bool{}
	for _, m := range of {
		for tp := range m {
			all[tp] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), backend.TopicPartition.Compare)
}

func (c *Cluster) alterAssignments(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	for _, t := range req.(*kmsg.AlterPartitionAssignmentsRequest).Topics {
		topic := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			partition.Partition = p.Partition
			tp := backend.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			moving, _ := c.model.Reassignments(c.ctx)
			if _, under := moving[tp]; p.Replicas == nil && !under {
				partition.ErrorCode = kerr.NoReassignmentInProgress.Code
			} else {
				partition.ErrorCode = code(c.model.Reassign(c.ctx, map[backend.TopicPartition][]int32{tp: p.Replicas}))
			}
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (c *Cluster) listReassignments(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	moving, _ := c.model.Reassignments(c.ctx)
	for _, tp := range partitions(moving) {
		p := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		p.Partition, p.Replicas, p.AddingReplicas, p.RemovingReplicas = tp.Partition, moving[tp].Replicas, moving[tp].Adding, moving[tp].Removing
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != tp.Topic {
			topic := kmsg.NewListPartitionReassignmentsResponseTopic()
			topic.Topic = tp.Topic
			resp.Topics = append(resp.Topics, topic)
		}
		last := &resp.Topics[len(resp.Topics)-1]
		last.Partitions = append(last.Partitions, p)
	}
	return resp
}

func (c *Cluster) alterLogDirs(node int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	for _, d := range req.(*kmsg.AlterReplicaLogDirsRequest).Dirs {
		for _, t := range d.Topics {
			topic := kmsg.NewAlterReplicaLogDirsResponseTopic()
			topic.Topic = t.Topic
			for _, id := range t.Partitions {
				tp := backend.TopicPartition{Topic: t.Topic, Partition: id}
				p := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				p.Partition = id
				if c.model.MoveReplicas(c.ctx, node, map[backend.TopicPartition]string{tp: d.Dir}) != nil {
					p.ErrorCode = kerr.LogDirNotFound.Code
				}
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
	}
	return resp
}

func (c *Cluster) electLeaders(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	for _, t := range req.(*kmsg.ElectLeadersRequest).Topics {
		topic := kmsg.NewElectLeadersResponseTopic()
		topic.Topic = t.Topic
		for _, id := range t.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition = id
			p.ErrorCode = code(c.model.ElectPreferredLeaders(c.ctx, []backend.TopicPartition{{Topic: t.Topic, Partition: id}}))
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// resource is what a request calls one.
func resource(kind kmsg.ConfigResourceType, name string) backend.Resource {
	return backend.Resource{Topic: kind == kmsg.ConfigResourceTypeTopic, Name: name}
}

func (c *Cluster) describeConfigs(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for _, r := range req.(*kmsg.DescribeConfigsRequest).Resources {
		described := kmsg.NewDescribeConfigsResponseResource()
		described.ResourceType, described.ResourceName = r.ResourceType, r.ResourceName
		source := kmsg.ConfigSourceDynamicBrokerConfig
		switch {
		case r.ResourceType == kmsg.ConfigResourceTypeTopic:
			source = kmsg.ConfigSourceDynamicTopicConfig
		case r.ResourceName == "":
			source = kmsg.ConfigSourceDynamicDefaultBrokerConfig
		}
		config, _ := c.model.Config(c.ctx, resource(r.ResourceType, r.ResourceName))
		for _, name := range slices.Sorted(maps.Keys(config)) {
			if r.ConfigNames != nil && !slices.Contains(r.ConfigNames, name) {
				continue
			}
			one := kmsg.NewDescribeConfigsResponseResourceConfig()
			one.Name, one.Value, one.Source = name, kmsg.StringPtr(config[name]), source
			described.Configs = append(described.Configs, one)
		}
		resp.Resources = append(resp.Resources, described)
	}
	return resp
}

func (c *Cluster) alterConfigs(_ int32, req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for _, r := range req.(*kmsg.IncrementalAlterConfigsRequest).Resources {
		set, remove := map[string]string{}, []string{}
		for _, change := range r.Configs {
			if change.Op == kmsg.IncrementalAlterConfigOpSet && change.Value != nil {
				set[change.Name] = *change.Value
			} else {
				remove = append(remove, change.Name)
			}
		}
		altered := kmsg.NewIncrementalAlterConfigsResponseResource()
		altered.ResourceType, altered.ResourceName = r.ResourceType, r.ResourceName
		altered.ErrorCode = code(c.model.AlterConfig(c.ctx, resource(r.ResourceType, r.ResourceName), set, remove))
		resp.Resources = append(resp.Resources, altered)
	}
	return resp
}
