package kafka

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCreateTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1) // of several, kfake's brokers do not forward it
		admin := f.admin()
		topic := NewTopic{Name: "a", Partitions: 2, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "1000", "cleanup.policy": "delete"}}
		must(t, admin.CreateTopic(t.Context(), topic))
		cluster := mustDescribe(t, admin)
		if len(cluster.Partitions) != 2 || len(cluster.Partitions[0].Replicas) != 1 {
			t.Errorf("got %+v", cluster.Partitions)
		}
		configs, err := admin.TopicConfigs(t.Context(), []string{"a"})
		if err != nil || !maps.Equal(configs["a"], topic.Config) {
			t.Errorf("got %v, %v", configs, err)
		}
		if err := admin.CreateTopic(t.Context(), topic); !errors.Is(err, kerr.TopicAlreadyExists) || errors.Is(err, ErrUnreachable) {
			t.Errorf("twice: %v", err)
		}
		// What is not said is as the brokers have it by default.
		f.forget()
		must(t, admin.CreateTopic(t.Context(), NewTopic{Name: "b"}))
		sent := f.sent(kmsg.CreateTopics)[0].req.(*kmsg.CreateTopicsRequest).Topics[0]
		if sent.NumPartitions != -1 || sent.ReplicationFactor != -1 {
			t.Errorf("sent %+v", sent)
		}
	})
}

// A topic is created once: whoever does not know whether it was has to look.
func TestCreateTopicIsNotSentTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3)
		admin := f.admin()
		mustDescribe(t, admin)
		f.answer(kmsg.CreateTopics.Int16(), func(int32, kmsg.Request) (kmsg.Response, error) { return nil, errSilence })
		if err := admin.CreateTopic(t.Context(), NewTopic{Name: "a"}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		if n := len(f.sent(kmsg.CreateTopics)); n != 1 {
			t.Errorf("it was sent %d times", n)
		}
	})
}

func TestTopicConfigs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 2, kfake.SeedTopics(1, "a", "b"))
		admin := f.admin()
		must(t, admin.AlterTopicConfigs(t.Context(), map[string]ConfigChange{
			"a": {Set: map[string]string{"retention.ms": "1000", "segment.ms": "10"}},
			"b": {Set: map[string]string{"retention.ms": "2000"}},
		}))
		must(t, admin.AlterTopicConfigs(t.Context(), map[string]ConfigChange{
			"a": {Set: map[string]string{"segment.ms": "20"}, Remove: []string{"retention.ms"}},
		}))
		got, err := admin.TopicConfigs(t.Context(), []string{"a", "b", "gone"})
		want := map[string]map[string]string{"a": {"segment.ms": "20"}, "b": {"retention.ms": "2000"}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v: want what is set, without defaults, of the topics that exist", got, err)
		}
		f.forget()
		must(t, admin.AlterTopicConfigs(t.Context(), nil))
		if got, err := admin.TopicConfigs(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
		if len(f.sent(kmsg.IncrementalAlterConfigs))+len(f.sent(kmsg.DescribeConfigs))+len(f.sent(kmsg.AlterConfigs)) != 0 {
			t.Error("nothing was asked for, but something was sent")
		}
	})
}

// One topic that is refused is in the error, and one that was deleted meanwhile is none.
func TestAlterTopicConfigsOfManyTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		codes := map[string]int16{"gone": kerr.UnknownTopicOrPartition.Code, "refused": kerr.InvalidConfig.Code}
		f.answer(kmsg.IncrementalAlterConfigs.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
			for _, asked := range req.(*kmsg.IncrementalAlterConfigsRequest).Resources {
				r := kmsg.NewIncrementalAlterConfigsResponseResource()
				r.ResourceType, r.ResourceName, r.ErrorCode = asked.ResourceType, asked.ResourceName, codes[asked.ResourceName]
				resp.Resources = append(resp.Resources, r)
			}
			return resp, nil
		})
		admin := f.admin()
		change := ConfigChange{Remove: []string{"follower.replication.throttled.replicas"}}
		must(t, admin.AlterTopicConfigs(t.Context(), map[string]ConfigChange{"a": change, "gone": change}))
		err := admin.AlterTopicConfigs(t.Context(), map[string]ConfigChange{"a": change, "refused": change})
		if !errors.Is(err, kerr.InvalidConfig) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
	})
}

// min.insync.replicas of a topic that was altered is not the one of before.
func TestAlterTopicConfigsForgetsMinISR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 3, kfake.SeedTopics(1, "a"))
		admin := f.admin()
		mustDescribe(t, admin)
		must(t, admin.AlterTopicConfigs(t.Context(), map[string]ConfigChange{"a": {Set: map[string]string{"min.insync.replicas": "2"}}}))
		if got := mustDescribe(t, admin).Partitions[0].MinISR; got != 2 {
			t.Errorf("min ISR %d", got)
		}
	})
}

func TestDescribeReassignments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1, kfake.SeedTopics(1, "a"))
		f.answer(kmsg.ListPartitionReassignments.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
			for _, name := range []string{"b", "a"} {
				p := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
				p.Partition, p.Replicas, p.AddingReplicas, p.RemovingReplicas = 1, []int32{3, 1, 2}, []int32{3}, []int32{1}
				topic := kmsg.NewListPartitionReassignmentsResponseTopic()
				topic.Topic, topic.Partitions = name, append(topic.Partitions, p)
				resp.Topics = append(resp.Topics, topic)
			}
			return resp, nil
		})
		admin := f.admin()
		got := mustDescribe(t, admin).Reassignments
		moves := func(topic string) Reassignment {
			return Reassignment{TopicPartition: TopicPartition{topic, 1}, Replicas: []int32{3, 1, 2}, Adding: []int32{3}, Removing: []int32{1}}
		}
		if want := []Reassignment{moves("a"), moves("b")}; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if target := got[0].Target(); !slices.Equal(target, []int32{3, 2}) {
			t.Errorf("it will have %v", target)
		}
		// Nobody knows what moves: then the whole description is worth nothing.
		f.answer(kmsg.ListPartitionReassignments.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
			resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
			return resp, nil
		})
		if _, err := admin.Describe(t.Context()); !errors.Is(err, kerr.ClusterAuthorizationFailed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDescribeOfflineReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		f.answer(kmsg.Metadata.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			if req.(*kmsg.MetadataRequest).Topics != nil {
				return nil, nil // whoever looks for brokers
			}
			resp := req.ResponseKind().(*kmsg.MetadataResponse)
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = kmsg.StringPtr("a")
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Replicas, p.ISR, p.OfflineReplicas = []int32{0, 1}, []int32{0}, []int32{1}
			topic.Partitions = append(topic.Partitions, p)
			resp.Topics = append(resp.Topics, topic)
			return resp, nil
		})
		f.answer(kmsg.DescribeConfigs.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			r, c := kmsg.NewDescribeConfigsResponseResource(), kmsg.NewDescribeConfigsResponseResourceConfig()
			r.ResourceName, c.Name, c.Value = "a", minISRKey, kmsg.StringPtr("1")
			r.Configs = append(r.Configs, c)
			resp.Resources = append(resp.Resources, r)
			return resp, nil
		})
		if got := mustDescribe(t, f.admin()).Partitions[0].Offline; !slices.Equal(got, []int32{1}) {
			t.Errorf("offline are %v", got)
		}
	})
}

func TestCancelReassignments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCluster(t, 1)
		codes := map[TopicPartition]int16{}
		f.answer(kmsg.AlterPartitionAssignments.Int16(), func(_ int32, req kmsg.Request) (kmsg.Response, error) {
			resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
			for _, asked := range req.(*kmsg.AlterPartitionAssignmentsRequest).Topics {
				topic := kmsg.NewAlterPartitionAssignmentsResponseTopic()
				topic.Topic = asked.Topic
				for _, p := range asked.Partitions {
					answer := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
					answer.Partition, answer.ErrorCode = p.Partition, codes[TopicPartition{asked.Topic, p.Partition}]
					topic.Partitions = append(topic.Partitions, answer)
				}
				resp.Topics = append(resp.Topics, topic)
			}
			return resp, nil
		})
		admin := f.admin()
		all := []TopicPartition{{"b", 0}, {"a", 1}, {"a", 0}}
		must(t, admin.CancelReassignments(t.Context(), all))
		topics := f.sent(kmsg.AlterPartitionAssignments)[0].req.(*kmsg.AlterPartitionAssignmentsRequest).Topics
		if len(topics) != 2 || topics[0].Topic != "a" || len(topics[0].Partitions) != 2 || len(topics[1].Partitions) != 1 {
			t.Errorf("sent %+v", topics)
		}
		for _, topic := range topics {
			for _, p := range topic.Partitions {
				if p.Replicas != nil { // an empty list would be another wish
					t.Errorf("%s-%d would get the replicas %v", topic.Topic, p.Partition, p.Replicas)
				}
			}
		}
		codes[all[0]], codes[all[1]] = kerr.NoReassignmentInProgress.Code, kerr.UnknownTopicOrPartition.Code
		must(t, admin.CancelReassignments(t.Context(), all))
		codes[all[2]] = kerr.InvalidReplicaAssignment.Code
		if err := admin.CancelReassignments(t.Context(), all); !errors.Is(err, kerr.InvalidReplicaAssignment) || !strings.Contains(err.Error(), "a-0") || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		f.forget()
		must(t, admin.CancelReassignments(t.Context(), nil))
		if len(f.sent(kmsg.AlterPartitionAssignments)) != 0 {
			t.Error("nothing to cancel, but something was sent")
		}
	})
}
