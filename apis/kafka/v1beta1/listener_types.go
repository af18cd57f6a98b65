package v1beta1

// ListenerType says who can reach a listener.
// +kubebuilder:validation:Enum=Internal;External
type ListenerType string

const (
	// ListenerInternal is reached from inside the Kubernetes cluster, at each
	// broker's own host name.
	ListenerInternal ListenerType = "Internal"
	// ListenerExternal is reached through the cluster's load balancer, Envoy.
	ListenerExternal ListenerType = "External"
)

// Listener is a listener for clients, on every broker.
//
// +kubebuilder:validation:XValidation:rule="has(self.external) == (self.type == 'External')",fieldPath=".external",message="external is needed for a listener of type External, and only there: set type: External, or remove external"
// +kubebuilder:validation:XValidation:rule="self.type != 'External' || self.port != 19001",fieldPath=".port",message="port 19001 is what the proxies themselves use, for probes and metrics: choose another port for a listener of type External"
type Listener struct {
	// Name of the listener, in lower case. In Kafka it is the same in upper
	// case.
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="name must start with a letter, hold lower-case letters, digits and '-' only, and not end with '-'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['controller', 'replication'])",message="the listener names controller and replication are reserved for the listeners between the nodes: choose another name"
	// +required
	Name string `json:"name"`

	// Port of the listener on every broker.
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:validation:XValidation:rule="!(self in [9090, 9091])",message="the ports 9090 and 9091 are reserved for the listeners between the nodes: choose another port"
	// +required
	Port int32 `json:"port"`

	// Who can reach the listener. Internal: clients in the Kubernetes cluster,
	// at each broker's own host name. External: clients outside, through one
	// load balancer for all brokers, made of Envoy proxies that envoy-manager
	// configures while they run.
	// +kubebuilder:default=Internal
	// +optional
	Type ListenerType `json:"type,omitempty"`

	// How clients outside the Kubernetes cluster reach a listener of type
	// External.
	// +optional
	External *ExternalAccess `json:"external,omitempty"`

	// Encryption. Every listener is encrypted with a certificate of the
	// cluster's CA.
	// +kubebuilder:default={}
	// +optional
	TLS *ListenerTLS `json:"tls,omitempty"`

	// How clients prove who they are.
	// +kubebuilder:default={type: TLS}
	// +optional
	Authentication *ListenerAuthentication `json:"authentication,omitempty"`
}

// ListenerTLS configures encryption.
type ListenerTLS struct{}

// AuthenticationType says how clients prove who they are.
// +kubebuilder:validation:Enum=TLS
type AuthenticationType string

// AuthenticationTLS wants a client certificate of the cluster's CA.
const AuthenticationTLS AuthenticationType = "TLS"

// ListenerAuthentication configures how clients prove who they are.
type ListenerAuthentication struct {
	// TLS: with a client certificate of the cluster's CA.
	// +kubebuilder:default=TLS
	// +optional
	Type AuthenticationType `json:"type,omitempty"`
}
