package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Envoy is the proxies of a cluster. All proxies together are one load
// balancer for all brokers.
type Envoy struct {
	// Image with Envoy in the layout of the official image, envoyproxy/envoy.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:default="envoyproxy/envoy:distroless-v1.40.0"
	// +optional
	Image string `json:"image,omitempty"`

	// When the kubelet pulls the image.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// Number of proxies in each group.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=2
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// CPU and memory of the Envoy container. The CPU limit decides the number of
	// Envoy's worker threads (--concurrency), two without one.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Connections that one proxy takes at the same time, over all listeners.
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=10000000
	// +kubebuilder:default=50000
	// +optional
	MaxConnections int64 `json:"maxConnections,omitempty"`

	// How a proxy that is stopped lets go of its clients.
	// +kubebuilder:default={}
	// +optional
	Drain *EnvoyDrain `json:"drain,omitempty"`

	// Groups of proxies, each with a Deployment and Services of its own: one in
	// each zone, say, so that clients of a zone's brokers stay in the zone.
	// Without any there is one group for all brokers. With mode PortPerBroker
	// leave out domain: one host name cannot lead to several load balancers.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Groups []EnvoyGroup `json:"groups,omitempty"`

	// Anything a Pod can have (metadata.labels, metadata.annotations, spec),
	// merged strategically into the Pod that Koperator makes for a proxy. The
	// container that runs Envoy is called envoy.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	PodTemplate *runtime.RawExtension `json:"podTemplate,omitempty"`
}

// EnvoyDrain is how a proxy that is stopped lets go of its clients: it becomes
// unready, waits until the load balancer sends no new clients, then closes
// connections one after the other.
type EnvoyDrain struct {
	// Seconds until the load balancer is sure to send no new clients.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=900
	// +kubebuilder:default=10
	// +optional
	DeregistrationSeconds int32 `json:"deregistrationSeconds,omitempty"`
	// Seconds in which connections are closed, those that are idle at the end.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=900
	// +kubebuilder:default=30
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
}

// EnvoyGroup is a group of proxies and the brokers that clients reach through
// it. Clients start from the first group.
type EnvoyGroup struct {
	// Name of the group, such as zone-a.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must hold lower-case letters, digits and '-' only, such as zone-a"
	// +required
	Name string `json:"name"`
	// Groups of spec.brokerGroups whose brokers are reached through this group.
	// Brokers that are named nowhere are reached through the first group.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=40
	// +listType=set
	// +optional
	BrokerGroups []string `json:"brokerGroups,omitempty"`
	// Brokers that are reached through this group, whatever their own group.
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:Minimum=0
	// +listType=set
	// +optional
	Brokers []int32 `json:"brokers,omitempty"`
	// Number of proxies of this group alone.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// Labels of the Kubernetes Nodes that the group's proxies run on.
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317 && self[k].size() <= 63)",message="keys of nodeSelector have at most 317 characters, and values 63"
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Annotations of the group's Services alone, laid over those of the
	// listener.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317 && self[k].size() <= 4096)",message="keys of annotations have at most 317 characters, and values 4096"
	// +optional
	ServiceAnnotations map[string]string `json:"serviceAnnotations,omitempty"`
}
