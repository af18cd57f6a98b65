package fleet

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/translate"
	"koperator.dev/koperator/envoy/xds"
)

const (
	sni     = "public"
	byPort  = "ports"
	orders  = "orders"
	address = "192.0.2.1"
)

// orders is a cluster of one controller (0) and three brokers (100, 101, 102), with a listener for clients outside in each
// mode.
func (w *world) orders() *v1beta1.KafkaCluster {
	return &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Name: orders, Namespace: w.namespace},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups: []v1beta1.BrokerGroup{
				{Name: "controllers", Roles: []v1beta1.Role{v1beta1.RoleController}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/metadata", Size: resource.MustParse("1Gi")}}},
				{Name: "default", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("10Gi")}}},
				{Name: "other", Roles: []v1beta1.Role{v1beta1.RoleBroker}, Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("10Gi")}}},
			},
			Brokers: []v1beta1.Broker{{ID: 0, Group: "controllers"}, {ID: 100, Group: "default"}, {ID: 101, Group: "default"}, {ID: 102, Group: "other"}},
			Listeners: []v1beta1.Listener{
				{Name: "internal", Port: 9093},
				{Name: sni, Port: 9094, Type: v1beta1.ListenerExternal, External: &v1beta1.ExternalAccess{Domain: "orders.example.com"}},
				{Name: byPort, Port: 9095, Type: v1beta1.ListenerExternal, External: &v1beta1.ExternalAccess{
					Mode: v1beta1.ExternalPortPerBroker, BrokerPorts: &v1beta1.BrokerPorts{First: 9200, Count: 4},
				}},
			},
		},
	}
}

// started is orders with everything as it should be.
func (w *world) started() *v1beta1.KafkaCluster {
	w.Helper()
	w.must(w.client.Create(w, w.orders()))
	w.settle(orders)
	w.play(orders)
	if ready := w.condition(orders, v1beta1.ConditionExternalAccessReady); ready.Status != metav1.ConditionTrue {
		w.Fatalf("a cluster whose proxies have accepted everything is not ready: %+v", ready)
	}
	return w.cluster(orders)
}

// play lets time pass in which everybody else does what there is to do: Pods are made and get ready, load balancers get
// addresses, and proxies accept what they are told.
func (w *world) play(name string) {
	w.Helper()
	for range 3 {
		w.playBrokers(name)
		w.playProxies()
		w.playLoadBalancers()
		w.settle(name)
		w.acceptAll()
		w.settle(name)
	}
}

// acceptAll makes every ready proxy accept everything that the first replica has told it.
func (w *world) acceptAll() {
	w.Helper()
	w.acceptBy(w.first, w.proxies()...)
}

// acceptBy makes proxies accept what a replica has told them, and the replica tell the others.
func (w *world) acceptBy(r *replica, proxies ...*corev1.Pod) {
	w.Helper()
	r.streams.acks = map[string][]xds.ProxyAcks{}
	for _, pod := range proxies {
		key := fleetOf(pod)
		if resources := r.streams.published[key]; resources != nil {
			r.streams.acks[key] = append(r.streams.acks[key], xds.ProxyAcks{Node: pod.Name, Connected: true, Hash: resources.Hash()})
		}
	}
	if err := r.exchange.Tell(w); err != nil && w.crash == nil {
		w.Fatal(err)
	}
}

func fleetOf(pod *corev1.Pod) string {
	name := pod.Labels[v1beta1.LabelCluster] + "-envoy"
	if group := pod.Labels[objects.LabelGroup]; group != "" {
		name += "-" + group
	}
	return pod.Namespace + "/" + name
}

// proxies are the Pods of proxies that are ready, sorted.
func (w *world) proxies() []*corev1.Pod {
	w.Helper()
	list := &corev1.PodList{}
	w.must(w.client.List(w, list, client.InNamespace(w.namespace), client.MatchingLabels{v1beta1.LabelComponent: v1beta1.ComponentEnvoy}))
	ready := slices.DeleteFunc(pointers(list.Items), func(pod *corev1.Pod) bool { return !isReady(pod) })
	slices.SortFunc(ready, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return ready
}

// playProxies is the controller of Deployments and the kubelet: each Deployment has its Pods, and they are ready.
func (w *world) playProxies() {
	w.Helper()
	deployments := &appsv1.DeploymentList{}
	w.must(w.client.List(w, deployments, client.InNamespace(w.namespace)))
	for i := range deployments.Items {
		deployment := &deployments.Items[i]
		for n := range *deployment.Spec.Replicas {
			name := fmt.Sprintf("%s-%d", deployment.Name, n)
			if w.exists(name, &corev1.Pod{}) {
				continue
			}
			template := deployment.Spec.Template
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			pod.Name, pod.Namespace = name, w.namespace
			w.must(w.client.Create(w, pod))
			w.setReady(pod, true)
		}
	}
	w.removeOrphans(deployments)
}

// removeOrphans deletes the Pods of Deployments that are gone.
func (w *world) removeOrphans(deployments *appsv1.DeploymentList) {
	w.Helper()
	for _, pod := range w.proxies() {
		gone := !slices.ContainsFunc(deployments.Items, func(d appsv1.Deployment) bool { return d.Namespace+"/"+d.Name == fleetOf(pod) })
		if gone {
			w.remove(pod)
		}
	}
}

// playBrokers is broker-manager: each broker that has its addresses has a Pod, and what the spec no longer has is gone.
func (w *world) playBrokers(name string) {
	w.Helper()
	wanted := map[string]bool{}
	for _, broker := range w.cluster(name).Spec.Brokers {
		if broker.Group != "controllers" {
			wanted[fmt.Sprintf("%s-%d", name, broker.ID)] = true
			w.broker(name, broker.ID)
		}
	}
	pods := &corev1.PodList{}
	w.must(w.client.List(w, pods, client.InNamespace(w.namespace), client.MatchingLabels{v1beta1.LabelBroker: "true"}))
	for i := range pods.Items {
		if !wanted[pods.Items[i].Name] {
			w.remove(&pods.Items[i])
		}
	}
}

// broker makes the Pod of a broker.
func (w *world) broker(cluster string, id int32) *corev1.Pod {
	w.Helper()
	name := fmt.Sprintf("%s-%d", cluster, id)
	if w.exists(name, &corev1.Pod{}) {
		return get(w, name, &corev1.Pod{})
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: map[string]string{
			v1beta1.LabelCluster: cluster, v1beta1.LabelBroker: "true", v1beta1.LabelBrokerID: fmt.Sprint(id),
		}, Annotations: map[string]string{v1beta1.AnnotationRack: "zone-a"}},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{Name: "kafka", Image: "kafka", SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}}},
		},
	}
	w.must(w.client.Create(w, pod))
	pod.Status.PodIPs = []corev1.PodIP{{IP: ip(id)}}
	pod.Status.PodIP = ip(id)
	w.setReady(pod, true)
	return pod
}

func ip(id int32) string { return fmt.Sprintf("10.0.%d.%d", id/256, id%256) }

func (w *world) setReady(pod *corev1.Pod, ready bool) {
	w.Helper()
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	w.must(w.client.Status().Update(w, pod))
}

func (w *world) remove(pod *corev1.Pod) {
	w.Helper()
	w.must(w.client.Delete(w, pod, client.GracePeriodSeconds(0)))
}

func (w *world) playLoadBalancers() {
	w.Helper()
	services := &corev1.ServiceList{}
	w.must(w.client.List(w, services, client.InNamespace(w.namespace)))
	for i := range services.Items {
		if services.Items[i].Spec.Type == corev1.ServiceTypeLoadBalancer && len(services.Items[i].Status.LoadBalancer.Ingress) == 0 {
			w.setIngress(&services.Items[i], address)
		}
	}
}

func (w *world) setIngress(service *corev1.Service, addresses ...string) {
	w.Helper()
	service.Status.LoadBalancer.Ingress = nil
	for _, address := range addresses {
		service.Status.LoadBalancer.Ingress = append(service.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: address})
	}
	w.must(w.client.Status().Update(w, service))
}

func (w *world) condition(name, kind string) metav1.Condition {
	w.Helper()
	if c := meta.FindStatusCondition(w.cluster(name).Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// requireCondition looks at a condition by its reason.
func (w *world) requireCondition(kind string, status metav1.ConditionStatus, reason, message string) {
	w.Helper()
	if c := w.condition(orders, kind); c.Status != status || c.Reason != reason || !strings.Contains(c.Message, message) {
		w.Errorf("condition %s is %s, %s: %q; want %s, %s: %q", kind, c.Status, c.Reason, c.Message, status, reason, message)
	}
}

// edit changes the spec of a cluster as a person would.
func (w *world) edit(change func(*v1beta1.KafkaClusterSpec)) {
	w.Helper()
	kc := w.cluster(orders)
	change(&kc.Spec)
	w.must(w.client.Update(w, kc))
}

// dropStatus deletes the whole status, as a restored backup would.
func (w *world) dropStatus() {
	w.Helper()
	kc := w.cluster(orders)
	kc.Status = v1beta1.KafkaClusterStatus{}
	w.must(w.client.Status().Update(w, kc))
}

func (w *world) listener(name string) v1beta1.ExternalListenerStatus {
	w.Helper()
	if status := listenerStatus(w.cluster(orders), name); status != nil {
		return *status
	}
	return v1beta1.ExternalListenerStatus{}
}

// told is what clients are told by a listener, as one line.
func (w *world) told(listener string) string {
	w.Helper()
	status := w.listener(listener)
	text := status.Bootstrap
	for _, broker := range status.Brokers {
		text += fmt.Sprintf(" %d=%s:%d", broker.ID, broker.Host, broker.Port)
		if broker.ProxyPort != broker.Port {
			text += fmt.Sprintf("/%d", broker.ProxyPort)
		}
	}
	return text
}

func (w *world) broker100(listener string) v1beta1.ExternalBrokerStatus {
	w.Helper()
	for _, broker := range w.listener(listener).Brokers {
		if broker.ID == 100 {
			return broker
		}
	}
	return v1beta1.ExternalBrokerStatus{}
}

func dropBroker(id int32) func(*v1beta1.KafkaClusterSpec) {
	return func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = slices.DeleteFunc(spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == id })
	}
}

func addBroker(id int32) func(*v1beta1.KafkaClusterSpec) {
	return func(spec *v1beta1.KafkaClusterSpec) {
		spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: id, Group: "default"})
	}
}

// endpointsOf are the endpoints that a replica's proxies are told.
func endpointsOf(r *replica, key string) string {
	var text []string
	resources := r.streams.published[key]
	if resources == nil {
		return "nothing was published"
	}
	for _, endpoint := range resources.Of(translate.TypeEndpoint) {
		text = append(text, fmt.Sprint(endpoint.Message))
	}
	slices.Sort(text)
	return strings.Join(text, "\n")
}

func eachItem(list client.ObjectList, visit func(client.Object)) error {
	return meta.EachListItem(list, func(item runtime.Object) error {
		if obj, ok := item.(client.Object); ok {
			visit(obj)
		}
		return nil
	})
}

func (w *world) request() reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: orders}}
}
