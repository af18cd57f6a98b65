package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// CruiseControl moves data: onto brokers that are added, off brokers and disks
// that are removed, and until the load is even. It is LinkedIn's Cruise
// Control, one for the cluster.
//
// +kubebuilder:validation:XValidation:rule="has(self.image) || has(self.external)",message="cruiseControl needs an image with Cruise Control, or external with the address of one that runs already"
// +kubebuilder:validation:XValidation:rule="!(has(self.image) && has(self.external))",message="cruiseControl has an image, of a Cruise Control to be run, and external, of one that runs already: remove one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.external) || !(has(self.imagePullPolicy) || has(self.config) || has(self.goals) || has(self.hardGoals) || has(self.networkCapacity) || has(self.resources) || has(self.podTemplate))",message="a Cruise Control that runs already has a configuration and a Pod of its own: remove imagePullPolicy, config, goals, hardGoals, networkCapacity, resources and podTemplate"
// +kubebuilder:validation:XValidation:rule="!has(self.external) || !self.metricsReporter.enabled || has(self.metricsReporter.image)",fieldPath=".metricsReporter",message="with external there is no image to copy the metrics reporter from: set metricsReporter.image to one that has it, or metricsReporter.enabled to false"
// +kubebuilder:validation:XValidation:rule="!has(self.hardGoals) || (has(self.goals) && self.hardGoals.all(g, g in self.goals))",fieldPath=".hardGoals",message="hardGoals are some of goals: add them to goals too"
// +kubebuilder:validation:XValidation:rule="has(self.networkCapacity) || !has(self.goals) || !self.goals.exists(g, g.contains('Network') || g == 'PotentialNwOutGoal')",fieldPath=".goals",message="goals about the network need networkCapacity: set it, or remove the goals whose names hold Network or Nw"
type CruiseControl struct {
	// Image with Cruise Control in /opt/cruise-control. LinkedIn publishes none:
	// build one from its release, or use one that is published by others.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`

	// When the kubelet pulls the image.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// Version of Cruise Control in the image. It decides with which versions of
	// Kafka it can be used.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,3})([.](0|[1-9][0-9]{0,3})){2}$')",message="version must be a version of Cruise Control, such as 2.5.146"
	// +kubebuilder:default="2.5.146"
	// +optional
	Version string `json:"version,omitempty"`

	// Command that runs Cruise Control in the image. The path of
	// cruisecontrol.properties is added to it.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:default={"/opt/cruise-control/kafka-cruise-control-start.sh"}
	// +listType=atomic
	// +optional
	Command []string `json:"command,omitempty"`

	// A Cruise Control that runs already, instead of one that Koperator runs.
	// +optional
	External *ExternalCruiseControl `json:"external,omitempty"`

	// Properties of Cruise Control (cruisecontrol.properties), each value in
	// quotes, laid over those that Koperator sets. A change restarts Cruise
	// Control when it moves nothing. Properties that Koperator needs for itself
	// are refused.
	// +optional
	Config CruiseControlConfig `json:"config,omitempty"`

	// Goals that plans have to meet and try to meet, in the order of their
	// priority. Without any: rack awareness and the capacities of disks and
	// replicas are hard goals, and disks, replicas and leaders are spread evenly.
	// Goals about the network need networkCapacity.
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	// +optional
	Goals []Goal `json:"goals,omitempty"`

	// Goals that a plan never violates: some of goals.
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	// +optional
	HardGoals []Goal `json:"hardGoals,omitempty"`

	// What the network of a broker can carry. Without it, plans do not look at
	// the network.
	// +optional
	NetworkCapacity *NetworkCapacity `json:"networkCapacity,omitempty"`

	// The part of Cruise Control that runs in each broker and reports its load.
	// +kubebuilder:default={}
	// +optional
	MetricsReporter *MetricsReporter `json:"metricsReporter,omitempty"`

	// When Koperator makes a CruiseControlOperation by itself.
	// +kubebuilder:default={}
	// +optional
	Automation *Automation `json:"automation,omitempty"`

	// CPU and memory of Cruise Control. The heap is three quarters of the memory
	// limit.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Anything a Pod can have (metadata.labels, metadata.annotations, spec),
	// merged strategically into the Pod that Koperator makes for Cruise Control.
	// Its container is called cruise-control.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	PodTemplate *runtime.RawExtension `json:"podTemplate,omitempty"`
}

// Goal is a goal of Cruise Control by its simple name, such as
// DiskCapacityGoal.
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z]*Goal$')",message="a goal is named as its class in Cruise Control, without the package, such as RackAwareGoal"
type Goal string

// ExternalCruiseControl is a Cruise Control that Koperator uses and does not
// run.
type ExternalCruiseControl struct {
	// Address of its REST API, such as
	// https://cruise-control.example.com:9090/kafkacruisecontrol.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && url(self).getQuery().size() == 0",message="url must be an address such as https://cruise-control.example.com:9090/kafkacruisecontrol"
	// +required
	URL string `json:"url"`
	// Secret with the keys username and password, and with ca.crt if its
	// certificate is not signed by a public authority.
	// +kubebuilder:validation:XValidation:rule="self.?name.orValue('') != ''",fieldPath=".name",message="secretRef needs the name of a Secret in the namespace of the cluster"
	// +optional
	SecretRef *corev1.LocalObjectReference `json:"secretRef,omitempty"`
}

// NetworkCapacity is what the network of each broker can carry, in bytes per
// second.
type NetworkCapacity struct {
	// Bytes per second that a broker can receive, such as 125Mi.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).compareTo(quantity('1Ki')) >= 0",message="inbound must be a quantity of bytes per second, such as 125Mi"
	// +required
	Inbound resource.Quantity `json:"inbound"`
	// Bytes per second that a broker can send, such as 125Mi.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).compareTo(quantity('1Ki')) >= 0",message="outbound must be a quantity of bytes per second, such as 125Mi"
	// +required
	Outbound resource.Quantity `json:"outbound"`
}

// MetricsReporter is the part of Cruise Control that runs in each broker. An
// init container copies it out of an image; the image of Kafka stays as it is.
type MetricsReporter struct {
	// Whether brokers have it. Without it Cruise Control has to get its metrics
	// in another way, from Prometheus say (spec.cruiseControl.config). A change
	// restarts the brokers, one after the other.
	// +kubebuilder:default=true
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// Image that it is copied from. Empty: that of Cruise Control.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`
	// File or glob pattern in that image.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[-A-Za-z0-9._/*]+[.]jar$')",message="jar must be an absolute path, which may hold '*', of a file that ends with .jar"
	// +kubebuilder:default="/opt/cruise-control/cruise-control-metrics-reporter*/build/libs/cruise-control-metrics-reporter-*.jar"
	// +optional
	Jar string `json:"jar,omitempty"`
}

// Automation says what Koperator does by itself. Whatever is switched off waits
// for a CruiseControlOperation that a person makes.
type Automation struct {
	// Data is moved onto brokers that are added.
	// +kubebuilder:default=true
	// +optional
	AddBrokers *bool `json:"addBrokers,omitempty"`
	// Data is moved off brokers that are removed from spec.brokers.
	// +kubebuilder:default=true
	// +optional
	RemoveBrokers *bool `json:"removeBrokers,omitempty"`
	// Data is spread over the disks of brokers when one is added.
	// +kubebuilder:default=true
	// +optional
	RebalanceDisks *bool `json:"rebalanceDisks,omitempty"`
	// Data is moved off disks that are removed from storage.
	// +kubebuilder:default=true
	// +optional
	RemoveDisks *bool `json:"removeDisks,omitempty"`
	// Replicas on a disk that has failed are made again elsewhere.
	// +kubebuilder:default=true
	// +optional
	FixOfflineReplicas *bool `json:"fixOfflineReplicas,omitempty"`

	// Bytes per second that each broker may send and receive while data is
	// moved; without it, as fast as it goes.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).compareTo(quantity('1Ki')) >= 0",message="replicationThrottle must be a quantity of bytes per second, such as 50Mi"
	// +optional
	ReplicationThrottle *resource.Quantity `json:"replicationThrottle,omitempty"`
	// Whether operations wait for a person before they move anything.
	// +kubebuilder:default=Automatic
	// +optional
	Approval ApprovalMode `json:"approval,omitempty"`
	// How much is moved at a time.
	// +optional
	Concurrency *OperationConcurrency `json:"concurrency,omitempty"`
}

// CruiseControlConfig is a set of properties of Cruise Control by name.
//
// +kubebuilder:validation:MaxProperties=256
// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 256 && self[k].size() <= 8192)",message="a property can have a name of 256 characters and a value of 8192 characters at most: shorten it"
// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z0-9._-]+$'))",message="the name of a property holds letters, digits, '.', '_' and '-' only: correct the name"
// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.startsWith('webserver.') || k.startsWith('ssl.') || k.startsWith('sasl.') || k.startsWith('vertx.'))",message="the REST API and the connections to Kafka are secured by Koperator: remove webserver.*, vertx.*, ssl.* and sasl.* from config"
// +kubebuilder:validation:XValidation:rule="!['bootstrap.servers', 'security.protocol', 'capacity.config.file', 'failed.brokers.file.path', 'metric.reporter.topic'].exists(p, p in self) && !self.exists(k, k.contains('sample.store.topic'))",message="the connection to Kafka, the capacities of brokers and the topics of Cruise Control are set by Koperator: remove bootstrap.servers, security.protocol, capacity.config.file, failed.brokers.file.path, metric.reporter.topic and *sample.store.topic* from config"
// +kubebuilder:validation:XValidation:rule="!['two.step.verification.enabled', 'auto.stop.external.agent', 'default.replication.throttle', 'max.active.user.tasks'].exists(p, p in self) && !self.exists(k, k.startsWith('self.healing.'))",message="Koperator decides what is executed and when: remove two.step.verification.enabled, auto.stop.external.agent, default.replication.throttle, max.active.user.tasks and self.healing.* from config; approval and throttles are fields of a CruiseControlOperation"
// +kubebuilder:validation:XValidation:rule="!['goals', 'default.goals', 'hard.goals', 'intra.broker.goals', 'anomaly.detection.goals'].exists(p, p in self)",message="goals are set from spec.cruiseControl.goals and hardGoals: remove goals, default.goals, hard.goals, intra.broker.goals and anomaly.detection.goals from config"
// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.endsWith('password') || k.endsWith('jaas.config'))",message="config is kept in a ConfigMap, where a password does not belong: remove the properties that end with password or jaas.config"
type CruiseControlConfig map[string]string

// CruiseControlStatus is what Cruise Control of a cluster is.
type CruiseControlStatus struct {
	// Where it is: NotReady, Loading, Ready, or Busy while it moves something.
	// +optional
	Phase CruiseControlPhase `json:"phase,omitempty"`
	// Its process, which its tasks live and die with: Pod and container.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Instance string `json:"instance,omitempty"`
	// Share of partitions whose load is known, in percent, while it is ready.
	// +optional
	MonitoredPercent *int32 `json:"monitoredPercent,omitempty"`
	// Operation that is being worked on.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Operation string `json:"operation,omitempty"`
	// Operations that wait for their turn.
	// +optional
	Queued int32 `json:"queued,omitempty"`
}

// CruiseControlPhase is where Cruise Control is.
// +kubebuilder:validation:MaxLength=32
type CruiseControlPhase string

const (
	// CruiseControlNotReady does not answer.
	CruiseControlNotReady CruiseControlPhase = "NotReady"
	// CruiseControlLoading answers and knows too little of the load to plan.
	CruiseControlLoading CruiseControlPhase = "Loading"
	// CruiseControlReady can plan.
	CruiseControlReady CruiseControlPhase = "Ready"
	// CruiseControlBusy executes a plan.
	CruiseControlBusy CruiseControlPhase = "Busy"
)
