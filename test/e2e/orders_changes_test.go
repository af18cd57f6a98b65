//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Dynamic properties are set, changed and taken back without a restart, and those that others have set stay.
func (o *orders) dynamicPropertiesRestartNothing(t *testing.T) {
	const (
		clusterWide, ofBroker = "message.max.bytes", "num.network.threads"
		foreign               = "leader.replication.throttled.rate"
		foreignClusterWide    = "follower.replication.throttled.rate"
	)
	before := o.lives(t)
	admin := kadm.NewClient(o.kafka)
	setForeign := func(property string, brokers ...int32) {
		t.Helper()
		if _, err := admin.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: property, Value: ptr.To("123456789")}}, brokers...); err != nil {
			t.Fatalf("setting %s beside the operator: %v", property, err)
		}
	}
	setForeign(foreign, 101)
	setForeign(foreignClusterWide)

	o.change(t, func(spec *v1beta1.KafkaClusterSpec) {
		spec.DynamicConfig = v1beta1.DynamicConfig{clusterWide: "2000000"}
	})
	o.changeBroker(t, 101, func(b *v1beta1.Broker) { b.DynamicConfig = v1beta1.DynamicConfig{ofBroker: "4"} })
	o.waitProperty(t, 100, clusterWide, "2000000")
	o.waitProperty(t, 101, clusterWide, "2000000")
	o.waitProperty(t, 101, ofBroker, "4")
	o.waitProperty(t, 100, ofBroker, "3")

	o.change(t, func(spec *v1beta1.KafkaClusterSpec) { spec.DynamicConfig[clusterWide] = "3000000" })
	o.waitProperty(t, 102, clusterWide, "3000000")

	o.change(t, func(spec *v1beta1.KafkaClusterSpec) { spec.DynamicConfig = nil })
	o.changeBroker(t, 101, func(b *v1beta1.Broker) { b.DynamicConfig = nil })
	o.waitProperty(t, 100, clusterWide, "1048588")
	o.waitProperty(t, 101, ofBroker, "3")

	o.waitProperty(t, 101, foreign, "123456789")
	o.waitProperty(t, 102, foreignClusterWide, "123456789")
	o.requireSameLives(t, before)
}

func (o *orders) waitProperty(t *testing.T, broker int32, property, value string) {
	t.Helper()
	waitFor(t, 30*time.Second, fmt.Sprintf("%s of broker %d to be %s", property, broker, value), func(ctx context.Context) (string, bool) {
		now, err := tryBrokerConfig(ctx, o.kafka, broker, property)
		return fmt.Sprintf("%s, %v", now, err), err == nil && now == value
	})
}

// Three brokers are added, each broken in another way. Conditions and Events say what is wrong with each, the others go on
// as if nothing had happened, and each heals when its cause is gone.
func (o *orders) brokenBrokersHarmNobody(t *testing.T) {
	const badImage, noClass, badProperty = int32(103), int32(104), int32(105)
	className := o.namespace // unique, because classes have no namespace
	before := o.lives(t)
	tr := o.trafficOn(t, "broken-brokers")

	image, class, property := node(badImage, brokers), node(noClass, brokers), node(badProperty, brokers)
	image.PodTemplate = withImage(t, "localhost/kafka:no-such-tag")
	class.Storage = []v1beta1.Storage{{Path: extraPath, Size: resource.MustParse("64Mi"), StorageClassName: &className}}
	property.Config = v1beta1.Config{"num.io.threads": "abc"}
	o.addBrokers(t, image, class, property)

	for _, broken := range []struct {
		id    int32
		words []string // of which one must be in the message
	}{
		{badImage, []string{"no-such-tag"}},
		{noClass, []string{className}},
		{badProperty, []string{"num.io.threads"}},
	} {
		status := o.waitBroker(t, broken.id, 90*time.Second, "reported as broken", func(status v1beta1.BrokerStatus) bool {
			healthy := healthOf(status)
			return healthy.Status == metav1.ConditionFalse && slices.ContainsFunc(broken.words, func(w string) bool { return strings.Contains(healthy.Message, w) })
		})
		healthy := healthOf(status)
		t.Logf("%d: phase %s, %s: %s", broken.id, status.Phase, healthy.Reason, healthy.Message)
		o.waitEvent(t, fmt.Sprintf("broker %d", broken.id), func(e *eventsv1.Event) bool {
			return e.Type == corev1.EventTypeWarning && strings.Contains(e.Note, fmt.Sprint(broken.id)) &&
				slices.ContainsFunc(broken.words, func(w string) bool { return strings.Contains(e.Note, w) })
		})
	}
	kc := o.mustGet(t)
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionBrokersReady} {
		if conditionOf(kc, kind).Status != metav1.ConditionFalse {
			t.Errorf("the condition %s is %s with three broken brokers", kind, conditionOf(kc, kind).Status)
		}
	}
	for _, id := range []int32{badImage, noClass, badProperty} {
		if !slices.ContainsFunc(kc.Status.BlockedBy, func(b v1beta1.BlockedBy) bool { return strings.Contains(b.What, fmt.Sprint(id)) }) {
			t.Errorf("status.blockedBy has no entry for broker %d: %+v", id, kc.Status.BlockedBy)
		}
	}
	o.requireSameLives(t, before)

	o.changeBroker(t, badImage, func(b *v1beta1.Broker) { b.PodTemplate = nil })
	o.changeBroker(t, badProperty, func(b *v1beta1.Broker) { b.Config["num.io.threads"] = "6" })
	copyDefaultClass(t, className)
	took := o.waitReady(t, 3*time.Minute)
	t.Logf("from the corrections to nine nodes Ready: %s", seconds(took))
	o.waitProperty(t, badProperty, "num.io.threads", "6")
	o.requireSameLives(t, before)
	tr.end(t, o.cluster)

	// They hold nothing, so they may go at once.
	o.removeBrokers(t, noClass, badProperty)
	took = o.waitReady(t, 2*time.Minute)
	t.Logf("from the removal of two empty brokers to them being gone: %s", seconds(took))
	o.requireGone(t, noClass)
	o.requireGone(t, badProperty)
}

// copyDefaultClass makes a StorageClass of another name that does the same as the default one.
func copyDefaultClass(t *testing.T, name string) {
	t.Helper()
	classes := &storagev1.StorageClassList{}
	if err := kube.List(t.Context(), classes); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(classes.Items, func(c storagev1.StorageClass) bool {
		return c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
	})
	if i < 0 {
		t.Fatal("there is no default StorageClass")
	}
	class := classes.Items[i].DeepCopy()
	class.ObjectMeta = metav1.ObjectMeta{Name: name}
	if err := kube.Create(t.Context(), class); err != nil {
		t.Fatalf("creating StorageClass: %v", err)
	}
	t.Cleanup(func() {
		if err := kube.Delete(context.Background(), class); err != nil {
			t.Errorf("deleting StorageClass: %v", err)
		}
	})
}

// A broker that holds a replica is taken out of the spec: it runs on and says why. Put back, nothing has happened.
// Out again, and its replica moved away by Kafka's own means, it goes, and leaves nothing behind.
func (o *orders) brokerIsDrainedAndRemoved(t *testing.T) {
	const leaving, topic = int32(103), "on-leaving-broker"
	createTopic(t, o.kafka, topic, []int32{leaving, 100, 101})
	before := o.lives(t)
	tr := o.startTraffic(t, topic)
	entry := o.mustGet(t).Spec.Brokers
	i := slices.IndexFunc(entry, func(b v1beta1.Broker) bool { return b.ID == leaving })
	if i < 0 {
		t.Fatalf("broker %d is not in the spec: the story before did not get so far", leaving)
	}
	put := entry[i]

	o.removeBrokers(t, leaving)
	o.waitDraining(t, leaving)
	holds(t, 5*time.Second, "that the broker stays", o.isDraining(leaving))
	kc := o.mustGet(t)
	waits := slices.IndexFunc(kc.Status.BlockedBy, func(b v1beta1.BlockedBy) bool { return strings.Contains(b.What, fmt.Sprint(leaving)) })
	if waits < 0 {
		t.Errorf("status.blockedBy does not say why broker %d stays: %+v", leaving, kc.Status.BlockedBy)
	} else {
		t.Logf("%s: %s", kc.Status.BlockedBy[waits].What, kc.Status.BlockedBy[waits].Message)
	}
	o.requireSameLives(t, before)

	o.addBrokers(t, put)
	o.waitReady(t, time.Minute)
	o.requireSameLives(t, before)

	o.removeBrokers(t, leaving)
	o.waitDraining(t, leaving)
	var move kadm.AlterPartitionAssignmentsReq
	move.Assign(topic, 0, []int32{102, 100, 101})
	if _, err := kadm.NewClient(o.kafka).AlterPartitionAssignments(t.Context(), move); err != nil {
		t.Fatalf("reassigning: %v", err)
	}
	took := waitFor(t, 2*time.Minute, "the broker to be gone", func(ctx context.Context) (string, bool) {
		kc, err := o.get(ctx)
		if err != nil {
			return err.Error(), false
		}
		status := brokerStatus(kc, leaving)
		return fmt.Sprintf("phase %q; %s", status.Phase, describe(kc)), status.Phase == ""
	})
	t.Logf("from the reassignment to the broker being gone: %s", seconds(took))
	o.requireGone(t, leaving)
	o.requireSameLives(t, before, leaving)
	tr.end(t, o.cluster)
}

func (o *orders) waitDraining(t *testing.T, id int32) {
	t.Helper()
	o.waitBroker(t, id, 30*time.Second, "draining", func(status v1beta1.BrokerStatus) bool { return status.Phase == v1beta1.BrokerDraining })
}

// requireGone fails if anything of a node is left, in Kubernetes or in Kafka.
func (c *cluster) requireGone(t *testing.T, id int32) {
	t.Helper()
	cl := c.dial(t)
	defer cl.Close()
	if pod := c.podList(t)[id]; pod != nil {
		t.Errorf("broker %d is removed and still has the Pod %s", id, pod.Name)
	}
	if b, ok := registeredBrokers(t, cl)[id]; ok {
		t.Errorf("broker %d is removed and still registered: %+v", id, b)
	}
	for _, kind := range []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}} {
		name := fmt.Sprintf("%s-%d", c.name, id)
		if _, ok := kind.(*corev1.Secret); ok {
			name += "-tls"
		}
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: name}, kind); !apierrors.IsNotFound(err) {
			t.Errorf("broker %d is removed, and %T %s is still there (%v)", id, kind, name, err)
		}
	}
	waitFor(t, 30*time.Second, fmt.Sprintf("the claims of %d to be gone", id), func(ctx context.Context) (string, bool) {
		claims, err := c.listClaims(ctx)
		if err != nil {
			return err.Error(), false
		}
		var left []string
		for claim := range claims {
			if strings.HasPrefix(claim, fmt.Sprintf("%s-%d-", c.name, id)) {
				left = append(left, claim)
			}
		}
		return strings.Join(left, ", "), len(left) == 0
	})
}
