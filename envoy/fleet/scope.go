package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/acks"
	"koperator.dev/koperator/envoy/fleet/addresses"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/fleet/ports"
	"koperator.dev/koperator/envoy/ir"
	"koperator.dev/koperator/envoy/translate"
)

// scope is one pass over one KafkaCluster: what it read, what it found out on its way, and what it will report.
type scope struct {
	*Reconciler
	cluster *v1beta1.KafkaCluster
	memory  *memory
	now     time.Time

	// Read at the start.
	fleets  []objects.Fleet
	pods    []*corev1.Pod
	objects map[string]client.Object
	brokers []ir.BrokerFact
	// groups are the groups of proxies that brokers are reached through.
	groups   map[int32]string
	revision int32

	// Found out by the steps.
	ports     ports.Plan
	addresses map[string]addresses.Plan
	tallies   map[string]tally

	// To be reported.
	failures     []error
	requeueAfter time.Duration
}

// tally is what the ready proxies of a fleet have accepted; nothing, if they were told nothing.
type tally struct {
	*acks.Tally
	proxies int32
	told    *Published
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete

// observe reads all that Kubernetes knows of the cluster and its proxies, from the cache.
func (r *Reconciler) observe(ctx context.Context, cluster *v1beta1.KafkaCluster) (*scope, error) {
	s := &scope{
		Reconciler: r, cluster: cluster, now: r.Clock.Now(), fleets: objects.Fleets(cluster), requeueAfter: whileIdle,
		objects: map[string]client.Object{}, groups: map[int32]string{}, addresses: map[string]addresses.Plan{}, tallies: map[string]tally{},
	}
	s.memory = r.memory.of(nameOf(cluster), r.Client)
	for _, list := range []client.ObjectList{
		&corev1.PodList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &corev1.ServiceAccountList{},
		&appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{},
	} {
		if err := s.read(ctx, list); err != nil {
			return nil, err
		}
	}
	s.brokers = brokersOf(cluster, s.pods, s.services())
	for _, broker := range s.brokers {
		s.groups[broker.ID] = ir.GroupOf(cluster, broker.ID, broker.Group)
	}
	s.revision = s.currentRevision()
	return s, nil
}

// read lists the objects of a kind. They are shared with the cache and never written to. Of brokers, only the Pods matter.
func (s *scope) read(ctx context.Context, list client.ObjectList) error {
	labels := client.MatchingLabels{v1beta1.LabelCluster: s.cluster.Name}
	if _, isPods := list.(*corev1.PodList); !isPods {
		labels[v1beta1.LabelComponent] = v1beta1.ComponentEnvoy
	}
	if err := s.Client.List(ctx, list, client.InNamespace(s.cluster.Namespace), labels, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing %T: %w", list, err)
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		switch obj := item.(type) {
		case *corev1.Pod:
			s.pods = append(s.pods, obj)
		case client.Object:
			s.objects[objectKey(obj)] = obj
		}
		return nil
	})
}

func objectKey(obj client.Object) string { return fmt.Sprintf("%T/%s", obj, obj.GetName()) }

// live is the object of a kind and name as the cache has it, nil if it has none.
func live[T client.Object](s *scope, name string) T {
	var kind T
	obj, _ := s.objects[fmt.Sprintf("%T/%s", kind, name)].(T)
	return obj
}

// services are the Services for clients.
func (s *scope) services() []*corev1.Service {
	var services []*corev1.Service
	for _, obj := range s.objects {
		if service, ok := obj.(*corev1.Service); ok && s.isOurs(service) {
			services = append(services, service)
		}
	}
	slices.SortFunc(services, func(a, b *corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	return services
}

// isOurs tells whether an object was made for this very KafkaCluster.
func (s *scope) isOurs(obj client.Object) bool { return metav1.IsControlledBy(obj, s.cluster) }

// currentRevision is the revision of the templates that the proxies have. It stays when Koperator is upgraded.
func (s *scope) currentRevision() int32 {
	if revision := revisionOf(s.cluster); revision != 0 {
		return revision
	}
	var revision int64
	for _, fleet := range s.fleets {
		if deployment := live[*appsv1.Deployment](s, fleet.Name()); deployment != nil {
			kept, err := strconv.ParseInt(deployment.Annotations[objects.AnnotationRevision], 10, 32)
			if err == nil {
				revision = max(revision, kept)
			}
		}
	}
	if revision == 0 {
		return translate.LatestRevision
	}
	return int32(revision)
}

// readyProxies are the names of a fleet's Pods that are ready.
func (s *scope) readyProxies(fleet objects.Fleet) []string {
	var names []string
	for _, pod := range s.pods {
		if isProxy(pod) && pod.Labels[objects.LabelGroup] == fleet.Group && isReady(pod) {
			names = append(names, pod.Name)
		}
	}
	return names
}

// brokerIDs are those of all brokers, sorted.
func (s *scope) brokerIDs() []int32 {
	ids := make([]int32, 0, len(s.brokers))
	for _, broker := range s.brokers {
		ids = append(ids, broker.ID)
	}
	return ids
}

// countAccepted counts, for each fleet, the ready proxies that have accepted what they were told.
func (s *scope) countAccepted(ctx context.Context) error {
	var failures []error
	for _, fleet := range s.fleets {
		ready := s.readyProxies(fleet)
		counted := tally{proxies: int32(len(ready)), told: s.Publisher.Fleet(nameOf(s.cluster), fleet.Key())}
		if counted.told != nil {
			reports, err := s.Exchange.Reports(ctx, fleet.Key())
			failures = append(failures, err)
			counted.Tally = acks.Count(counted.told.Resources, ready, reports...)
		}
		s.tallies[fleet.Group] = counted
	}
	return errors.Join(failures...)
}
