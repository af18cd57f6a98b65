package v1beta1

// Config is a set of Kafka properties by name, each value as it would be
// written in server.properties.
//
// +kubebuilder:validation:MaxProperties=256
// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 256 && self[k].size() <= 8192)",message="a property can have a name of 256 characters and a value of 8192 characters at most: shorten it"
// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z0-9._-]+$'))",message="the name of a property holds letters, digits, '.', '_' and '-' only: correct the name"
// +kubebuilder:validation:XValidation:rule="!('node.id' in self || 'broker.id' in self)",message="node.id is set from spec.brokers[].id: remove it from config"
// +kubebuilder:validation:XValidation:rule="!('process.roles' in self)",message="process.roles is set from spec.brokerGroups[].roles: remove it from config"
// +kubebuilder:validation:XValidation:rule="!['listeners', 'advertised.listeners', 'listener.security.protocol.map', 'inter.broker.listener.name', 'security.inter.broker.protocol', 'controller.listener.names', 'early.start.listeners'].exists(p, p in self)",message="listeners are set from spec.listeners: remove listeners, advertised.listeners, listener.security.protocol.map, inter.broker.listener.name, security.inter.broker.protocol, controller.listener.names and early.start.listeners from config"
// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('listener.name.controller.') && !k.startsWith('listener.name.replication.'))",message="the listeners controller and replication belong to Koperator: remove listener.name.controller.* and listener.name.replication.* from config"
// +kubebuilder:validation:XValidation:rule="!['log.dir', 'log.dirs', 'metadata.log.dir'].exists(p, p in self)",message="log directories are set from storage (spec.brokerGroups[].storage and spec.brokers[].storage): remove log.dir, log.dirs and metadata.log.dir from config"
// +kubebuilder:validation:XValidation:rule="!['controller.quorum.voters', 'controller.quorum.bootstrap.servers', 'controller.quorum.auto.join.enable'].exists(p, p in self)",message="the quorum is set from the entries of spec.brokers whose group has the role controller: remove controller.quorum.voters, controller.quorum.bootstrap.servers and controller.quorum.auto.join.enable from config"
// +kubebuilder:validation:XValidation:rule="!('broker.rack' in self)",message="broker.rack is set from spec.rackAwareness: remove it from config"
// +kubebuilder:validation:XValidation:rule="!['ssl.keystore.location', 'ssl.keystore.type', 'ssl.keystore.password', 'ssl.key.password', 'ssl.keystore.key', 'ssl.keystore.certificate.chain', 'ssl.truststore.location', 'ssl.truststore.type', 'ssl.truststore.password', 'ssl.truststore.certificates', 'ssl.client.auth'].exists(p, p in self)",message="certificates are set from spec.listeners[].tls and authentication: remove ssl.keystore.*, ssl.truststore.*, ssl.key.password and ssl.client.auth from config"
// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.matches('^listener[.]name[.].+[.]ssl[.](keystore[.]|truststore[.]|key[.]password$|client[.]auth$)'))",message="certificates of a listener are set from spec.listeners[].tls and authentication: remove listener.name.*.ssl.keystore.*, listener.name.*.ssl.truststore.* and listener.name.*.ssl.client.auth from config"
// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.endsWith('password') || k.endsWith('sasl.jaas.config'))",message="config is kept in a ConfigMap, where a password does not belong: remove the properties that end with password or sasl.jaas.config from config"
// +kubebuilder:validation:XValidation:rule="!('cordoned.log.dirs' in self)",message="cordoned.log.dirs is set while a broker or a disk is drained: remove the broker or the disk from the spec instead"
type Config map[string]string

// DynamicConfig is a set of dynamic Kafka properties by name (KIP-226), each
// value as kafka-configs.sh would take it.
//
// +kubebuilder:validation:MaxProperties=256
// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 256 && self[k].size() <= 8192)",message="a property can have a name of 256 characters and a value of 8192 characters at most: shorten it"
// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z0-9._-]+$'))",message="the name of a property holds letters, digits, '.', '_' and '-' only: correct the name"
// +kubebuilder:validation:XValidation:rule="!['node.id', 'broker.id', 'process.roles', 'listeners', 'advertised.listeners', 'listener.security.protocol.map', 'inter.broker.listener.name', 'security.inter.broker.protocol', 'controller.listener.names', 'log.dir', 'log.dirs', 'metadata.log.dir', 'controller.quorum.voters', 'controller.quorum.bootstrap.servers', 'controller.quorum.auto.join.enable', 'broker.rack', 'cordoned.log.dirs'].exists(p, p in self)",message="a property that Koperator sets cannot be in dynamicConfig: remove node.id, process.roles, listeners and their maps, log.dirs, controller.quorum.*, broker.rack and cordoned.log.dirs; spec.brokers, spec.listeners, storage and spec.rackAwareness say what they should be"
// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('ssl.') && !k.startsWith('listener.name.controller.') && !k.startsWith('listener.name.replication.'))",message="certificates and the listeners between the nodes belong to Koperator: remove ssl.*, listener.name.controller.* and listener.name.replication.* from dynamicConfig"
// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.endsWith('password') || k.endsWith('sasl.jaas.config') || k.endsWith('.ssl.keystore.location') || k.endsWith('.ssl.truststore.location'))",message="passwords, key stores and trust stores do not belong in dynamicConfig: remove the properties that end with password, sasl.jaas.config, ssl.keystore.location or ssl.truststore.location; spec.listeners[].tls sets certificates"
type DynamicConfig map[string]string
