//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/test/clients"
)

// Ports of a node: the two that are always there, and the one of the listener that all clusters here have.
const (
	controllerPort  = 9090
	replicationPort = 9091
	clientPort      = 9093
)

// patienceOfKafka is how long one question to Kafka may take.
const patienceOfKafka = 20 * time.Second

// host is the name of a node for clients inside the Kubernetes cluster.
func (c *cluster) host(id int32) string {
	return fmt.Sprintf("%s-%d.%s-brokers.%s.svc", c.name, id, c.name, c.namespace)
}

func (c *cluster) address(id int32, port int) string { return fmt.Sprintf("%s:%d", c.host(id), port) }

// bootstrap is where clients start from.
func (c *cluster) bootstrap() string {
	return fmt.Sprintf("%s-bootstrap.%s.svc:%d", c.name, c.namespace, clientPort)
}

// adminTLS is what the Secret of the admin client holds.
func (c *cluster) adminTLS(ctx context.Context) (*tls.Config, error) {
	secret := &corev1.Secret{}
	if err := kube.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: c.name + "-admin"}, secret); err != nil {
		return nil, fmt.Errorf("reading the admin's Secret: %w", err)
	}
	return clients.Identity(secret.Data).TLS()
}

// dial makes a client of Kafka that speaks to the cluster's internal listener, for as long as the test lasts.
func (c *cluster) dial(t *testing.T, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	return c.dialAt(t, c.seeds(t), options...)
}

// seeds are all brokers of the spec, on the internal listener.
func (c *cluster) seeds(t *testing.T) []string {
	t.Helper()
	kc := c.mustGet(t)
	var seeds []string
	for _, b := range kc.Spec.Brokers {
		if hasRole(kc, b, v1beta1.RoleBroker) {
			seeds = append(seeds, c.address(b.ID, clientPort))
		}
	}
	return seeds
}

// dialAt makes a client that starts from seeds, for as long as the test lasts.
func (c *cluster) dialAt(t *testing.T, seeds []string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := c.clientAt(t.Context(), seeds, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// clientAt makes a client that is less patient than franz-go's default, which waits 10 s for a host that does not answer.
func (c *cluster) clientAt(ctx context.Context, seeds []string, options ...kgo.Opt) (*kgo.Client, error) {
	config, err := c.adminTLS(ctx)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.DialTLSConfig(config),
		kgo.DialTimeout(3 * time.Second),
		kgo.RequestTimeoutOverhead(3 * time.Second),
		kgo.ProduceRequestTimeout(3 * time.Second),
		kgo.MetadataMinAge(250 * time.Millisecond),
		// A broker that was away does not know the newest topics for a moment. Kafka's own client tries again, too.
		kgo.UnknownTopicRetries(-1),
		kgo.DisableClientMetrics(),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return cl, nil
}

func hasRole(kc *v1beta1.KafkaCluster, b v1beta1.Broker, role v1beta1.Role) bool {
	return slices.ContainsFunc(kc.Spec.BrokerGroups, func(g v1beta1.BrokerGroup) bool {
		return g.Name == b.Group && slices.Contains(g.Roles, role)
	})
}

// ask sends one request to any broker.
func ask[R kmsg.Response](t *testing.T, cl *kgo.Client, request kmsg.Request) R {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfKafka)
	defer cancel()
	response, err := cl.Request(ctx, request)
	if err != nil {
		t.Fatalf("asking Kafka (%s): %v", kmsg.NameForKey(request.Key()), err)
	}
	typed, ok := response.(R)
	if !ok {
		t.Fatalf("asking Kafka (%s): got %T", kmsg.NameForKey(request.Key()), response)
	}
	return typed
}

// kafkaClusterID is the id that Kafka itself says.
func kafkaClusterID(t *testing.T, cl *kgo.Client) string {
	t.Helper()
	return ask[*kmsg.DescribeClusterResponse](t, cl, kmsg.NewPtrDescribeClusterRequest()).ClusterID
}

// registeredBrokers are the brokers that the controllers know, fenced ones included.
func registeredBrokers(t *testing.T, cl *kgo.Client) map[int32]kmsg.DescribeClusterResponseBroker {
	t.Helper()
	request := kmsg.NewPtrDescribeClusterRequest()
	request.IncludeFencedBrokers = true
	brokers := map[int32]kmsg.DescribeClusterResponseBroker{}
	for _, b := range ask[*kmsg.DescribeClusterResponse](t, cl, request).Brokers {
		brokers[b.NodeID] = b
	}
	return brokers
}

// activeController is the leader of the metadata quorum.
func activeController(t *testing.T, cl *kgo.Client) int32 {
	t.Helper()
	return describeQuorum(t, cl).LeaderID
}

// describeQuorum asks until there is a leader to be told of.
func describeQuorum(t *testing.T, cl *kgo.Client) kmsg.DescribeQuorumResponseTopicPartition {
	t.Helper()
	request := kmsg.NewPtrDescribeQuorumRequest()
	topic, partition := kmsg.NewDescribeQuorumRequestTopic(), kmsg.NewDescribeQuorumRequestTopicPartition()
	topic.Topic, topic.Partitions = "__cluster_metadata", append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	var quorum kmsg.DescribeQuorumResponseTopicPartition
	waitFor(t, patienceOfKafka, "the quorum to be described", func(ctx context.Context) (string, bool) {
		response, err := cl.Request(ctx, request)
		if err != nil {
			return err.Error(), false
		}
		topics := response.(*kmsg.DescribeQuorumResponse).Topics
		if len(topics) != 1 || len(topics[0].Partitions) != 1 {
			return "no answer", false
		}
		quorum = topics[0].Partitions[0]
		return fmt.Sprintf("leader %d, %v", quorum.LeaderID, kerr.ErrorForCode(quorum.ErrorCode)), quorum.ErrorCode == 0 && quorum.LeaderID >= 0
	})
	return quorum
}

// createTopic creates a topic with a partition for each list of replicas.
func createTopic(t *testing.T, cl *kgo.Client, name string, assignments ...[]int32) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	for i, replicas := range assignments {
		assignment := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		assignment.Partition, assignment.Replicas = int32(i), replicas
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, assignment)
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, topic)
	for _, created := range ask[*kmsg.CreateTopicsResponse](t, cl, request).Topics {
		if err := kerr.ErrorForCode(created.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			t.Fatalf("creating topic %s: %v %v", name, err, created.ErrorMessage)
		}
	}
}

// deleteTopic deletes a topic.
func deleteTopic(t *testing.T, cl *kgo.Client, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfKafka)
	defer cancel()
	if _, err := kadm.NewClient(cl).DeleteTopic(ctx, name); err != nil {
		t.Fatalf("deleting topic %s: %v", name, err)
	}
}

// spreadTopic creates a topic that Kafka itself spreads over the brokers.
func spreadTopic(t *testing.T, cl *kgo.Client, name string, partitions int32, replicas int16) {
	t.Helper()
	admin := kadm.NewClient(cl)
	admin.SetTimeoutMillis(5000)
	// A broker that has just come back may ask a controller that is gone, and give no answer. That the topic exists means
	// that the answer was lost, and that it was asked again.
	waitFor(t, time.Minute, "topic "+name+" to be created", func(ctx context.Context) (string, bool) {
		ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
		defer cancel()
		_, err := admin.CreateTopic(ctx, partitions, replicas, nil, name)
		return fmt.Sprint(err), err == nil || errors.Is(err, kerr.TopicAlreadyExists)
	})
}

// brokerConfig reads one property of one broker, from the broker itself.
func brokerConfig(t *testing.T, cl *kgo.Client, broker int32, property string) string {
	t.Helper()
	value, err := tryBrokerConfig(t.Context(), cl, broker, property)
	if err != nil {
		t.Fatalf("describing the configuration of broker %d: %v", broker, err)
	}
	return value
}

func tryBrokerConfig(ctx context.Context, cl *kgo.Client, broker int32, property string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patienceOfKafka)
	defer cancel()
	configs, err := kadm.NewClient(cl).DescribeBrokerConfigs(ctx, broker)
	if err != nil {
		return "", err
	}
	for _, resource := range configs {
		if resource.Err != nil {
			return "", resource.Err
		}
		for _, config := range resource.Configs {
			if config.Key == property {
				return config.MaybeValue(), nil
			}
		}
	}
	return "", nil
}

// logDirs reads the log directories of one broker from itself: what they hold, by path.
func logDirs(t *testing.T, cl *kgo.Client, broker int32) kadm.DescribedLogDirs {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfKafka)
	defer cancel()
	dirs, err := kadm.NewClient(cl).DescribeBrokerLogDirs(ctx, broker, nil)
	if err != nil {
		t.Fatalf("describing the log directories of broker %d: %v", broker, err)
	}
	return dirs
}

// waitInSync waits until every replica of every partition of a topic is in sync.
func waitInSync(t *testing.T, cl *kgo.Client, topic string) {
	t.Helper()
	waitFor(t, time.Minute, "all replicas of "+topic+" to be in sync", func(ctx context.Context) (string, bool) {
		metadata, err := kadm.NewClient(cl).Metadata(ctx, topic)
		if err != nil {
			return err.Error(), false
		}
		partitions := metadata.Topics[topic].Partitions
		for _, p := range partitions {
			if p.Leader < 0 || len(p.ISR) != len(p.Replicas) {
				return fmt.Sprintf("partition %d: leader %d, replicas %v, in sync %v", p.Partition, p.Leader, p.Replicas, p.ISR), false
			}
		}
		return "", len(partitions) > 0
	})
}
