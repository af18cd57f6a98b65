package kafkacluster

import (
	"context"
	"fmt"
	"sort"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/controllers/internal/desired"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods/resize,verbs=patch
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch

// observe reads all that Kubernetes knows of the cluster, from the cache.
func (r *Reconciler) observe(ctx context.Context, cluster *v1beta1.KafkaCluster) (*scope, error) {
	s := &scope{
		Reconciler: r,
		cluster:    cluster,
		now:        r.clock.Now(),
		objects:    map[string]client.Object{},
		nodes:      map[string]*corev1.Node{},
	}
	s.memory = r.memory.of(s.name(), r.client)
	found := map[int32]*member{}
	for _, node := range desired.Nodes(cluster) {
		found[node.ID] = &member{id: node.ID, node: &node, controller: node.IsController(), broker: node.IsBroker()}
	}
	lists := []client.ObjectList{
		&corev1.PodList{}, &corev1.PersistentVolumeClaimList{}, &corev1.ConfigMapList{}, &corev1.ServiceList{},
		&corev1.ServiceAccountList{}, &policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{},
	}
	for _, list := range lists {
		if err := s.read(ctx, list, found); err != nil {
			return nil, err
		}
	}
	for _, m := range found {
		s.members = append(s.members, m)
	}
	sort.Slice(s.members, func(i, j int) bool { return s.members[i].id < s.members[j].id })
	s.readDisks()
	var err error
	if s.grant, err = grant.Read(ctx, r.client, s.name()); err != nil {
		return nil, err
	}
	return s, s.readNodes(ctx)
}

// read lists the cluster's objects of a kind. Objects are shared with the cache and never written to.
func (s *scope) read(ctx context.Context, list client.ObjectList, found map[int32]*member) error {
	err := s.client.List(ctx, list, client.InNamespace(s.cluster.Namespace),
		client.MatchingLabels{v1beta1.LabelCluster: s.cluster.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("listing %T: %w", list, err)
	}
	return eachItem(list, func(obj client.Object) {
		id, err := strconv.ParseInt(obj.GetLabels()[v1beta1.LabelBrokerID], 10, 32)
		if err != nil {
			s.objects[objectKey(obj)] = obj
			return
		}
		m := found[int32(id)]
		if m == nil {
			m = &member{id: int32(id)}
			found[int32(id)] = m
		}
		m.add(obj)
	})
}

// add takes an object of the member. A member that is not in the spec any more learns its roles from its objects.
func (m *member) add(obj client.Object) {
	if m.leaving() {
		m.controller = m.controller || obj.GetLabels()[v1beta1.LabelController] == "true"
		m.broker = m.broker || obj.GetLabels()[v1beta1.LabelBroker] == "true"
	}
	switch o := obj.(type) {
	case *corev1.Pod:
		m.pod = o
	case *corev1.ConfigMap:
		m.config = o
	case *corev1.PersistentVolumeClaim:
		if m.claims == nil {
			m.claims = map[string]*corev1.PersistentVolumeClaim{}
		}
		m.claims[o.Annotations[v1beta1.AnnotationPath]] = o
	}
}

// readDisks finds out what is written on the disks' claims of the first start of the cluster. A cluster without any disk
// yet gets its id from the object's own UID, so that a crash between two claims cannot lead to two ids.
func (s *scope) readDisks() {
	s.clusterID = s.idOnDisks()
	for _, m := range s.members {
		for _, claim := range m.claims {
			if id := claim.Annotations[v1beta1.AnnotationClusterID]; id != "" && id != s.clusterID {
				m.foreign = id
				continue
			}
			if voters := claim.Annotations[v1beta1.AnnotationInitialControllers]; voters != "" {
				s.initialControllers = voters
			}
			if claim.Annotations[v1beta1.AnnotationQuorumEstablished] == "true" {
				s.established = true
			}
		}
	}
	if s.initialControllers == "" {
		s.initialControllers = desired.InitialControllers(s.cluster, s.clusterID)
	}
}

// idOnDisks is the id of the Kafka cluster that the controllers' disks belong to, else that of the brokers'.
func (s *scope) idOnDisks() string {
	for _, controllers := range []bool{true, false} {
		for _, m := range s.members {
			if m.controller != controllers {
				continue
			}
			for _, claim := range m.claims {
				if id := claim.Annotations[v1beta1.AnnotationClusterID]; id != "" {
					return id
				}
			}
		}
	}
	return desired.ClusterID(string(s.cluster.UID))
}

// readNodes reads the Nodes that the cluster's Pods are on. A Node that does not exist is kept as nil.
func (s *scope) readNodes(ctx context.Context) error {
	list := &corev1.NodeList{}
	if err := s.client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	for i := range list.Items {
		s.nodes[list.Items[i].Name] = &list.Items[i]
	}
	return nil
}

// machineLost tells whether the Node of a Pod is gone or does not answer.
func (s *scope) machineLost(pod *corev1.Pod) bool {
	if pod.Spec.NodeName == "" {
		return false
	}
	node := s.nodes[pod.Spec.NodeName]
	if node == nil {
		return true
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status != corev1.ConditionTrue
		}
	}
	return false
}

func objectKey(obj client.Object) string { return fmt.Sprintf("%T/%s", obj, obj.GetName()) }

// live is the object of a kind and name as the cache has it, nil if it has none.
func live[T client.Object](s *scope, name string) client.Object {
	var kind T
	if obj, ok := s.objects[fmt.Sprintf("%T/%s", kind, name)]; ok {
		return obj
	}
	return nil
}

func eachItem(list client.ObjectList, visit func(client.Object)) error {
	return meta.EachListItem(list, func(item runtime.Object) error {
		if obj, ok := item.(client.Object); ok {
			visit(obj)
		}
		return nil
	})
}
