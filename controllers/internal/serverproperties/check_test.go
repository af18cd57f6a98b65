package serverproperties

import (
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	tests := map[string]Scope{
		"num.io.threads":                      ClusterWide,
		"log.retention.ms":                    ClusterWide,
		"log.retention.hours":                 ReadOnly,
		"min.insync.replicas":                 ClusterWide,
		"leader.replication.throttled.rate":   ClusterWide,
		"listeners":                           PerBroker,
		"cordoned.log.dirs":                   PerBroker,
		"sasl.jaas.config":                    PerBroker,
		"node.id":                             ReadOnly,
		"num.partitions":                      ReadOnly,
		"ssl.principal.mapping.rules":         ReadOnly,
		"remote.log.manager.thread.pool.size": ReadOnly,
		"controller.quorum.auto.join.enable":  ReadOnly,
		"zookeeper.connect":                   Unknown,
		"my.plugin.setting":                   Unknown,

		"listener.name.internal.ssl.keystore.location":          PerBroker,
		"listener.name.internal.max.connections":                ClusterWide,
		"listener.name.internal.num.network.threads":            ClusterWide,
		"listener.name.internal.connections.max.reauth.ms":      ReadOnly,
		"listener.name.internal.scram-sha-512.sasl.jaas.config": PerBroker,
		"listener.name.internal.my.plugin.setting":              Unknown,
		"listener.name.internal":                                Unknown,
	}
	for key, want := range tests {
		if got := Classify(key); got != want {
			t.Errorf("Classify(%s) = %s, want %s", key, got, want)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"num.io.threads", "16", ""},
		{"num.io.threads", " 16 ", ""},
		{"num.io.threads", "abc", `"abc" is not a whole number of 32 bits`},
		{"num.io.threads", "", `"" is not a whole number of 32 bits`},
		{"num.io.threads", "3000000000", `"3000000000" is not a whole number of 32 bits`},
		{"num.io.threads", "0", "0 is less than 1, the least that Kafka takes"},
		{"log.retention.bytes", "3000000000", ""},
		{"log.retention.bytes", "1Gi", `"1Gi" is not a whole number of 64 bits`},
		{"offsets.topic.replication.factor", "40000", `"40000" is not a whole number of 16 bits`},
		{"log.cleaner.min.cleanable.ratio", "0.5", ""},
		{"log.cleaner.min.cleanable.ratio", "0.5d", ""},
		{"log.cleaner.min.cleanable.ratio", "1.5", "1.5 is more than 1, the most that Kafka takes"},
		{"log.cleaner.min.cleanable.ratio", "half", `"half" is not a number`},
		{"auto.create.topics.enable", "True", ""},
		{"auto.create.topics.enable", "yes", `"yes" is not true or false`},
		{"compression.type", "zstd", ""},
		{"compression.type", "brotli", `"brotli" is none of uncompressed, zstd, lz4, snappy, gzip, producer`},
		{"log.cleanup.policy", "compact, delete", ""},
		{"log.cleanup.policy", "compact,drop", `"drop" is none of compact, delete`},
		{"log.cleanup.policy", "", ""},
		{"authorizer.class.name", "com.example.Authorizer", ""},
		{"my.plugin.setting", "anything", ""},
		{"listener.name.internal.max.connections", "many", `"many" is not a whole number of 32 bits`},
		{"listener.name.internal.ssl.cipher.suites", "TLS_AES_256_GCM_SHA384", ""},

		{"node.id", "7", "it is set by Koperator from spec.brokers[].id: remove it"},
		{"broker.rack", "a", "it is set by Koperator from spec.rackAwareness: remove it"},
		{"listener.name.controller.ssl.cipher.suites", "x", "it is set by Koperator from the listeners between the nodes: remove it"},
		{"listener.name.replication.max.connections", "5", "it is set by Koperator from the listeners between the nodes: remove it"},
		{"listener.name.internal.ssl.keystore.location", "/x", "it is set by Koperator from spec.listeners[].tls and authentication: remove it"},
		{"ssl.truststore.password", "x", "it is set by Koperator from spec.listeners[].tls and authentication: remove it"},
		{"listener.name.internal.ssl.client.auth", "none", "it is set by Koperator from spec.listeners[].tls and authentication: remove it"},
	}
	for _, tt := range tests {
		expectProblem(t, tt.key, tt.value, tt.want, CheckConfig(map[string]string{tt.key: tt.value}))
	}
}

func TestCheckDynamicConfig(t *testing.T) {
	tests := []struct {
		key, value string
		level      Level
		want       string
	}{
		{"num.io.threads", "16", ClusterLevel, ""},
		{"num.io.threads", "16", BrokerLevel, ""},
		{"num.io.threads", "abc", BrokerLevel, `"abc" is not a whole number of 32 bits`},
		{"num.partitions", "3", ClusterLevel, "num.partitions is read-only: move it to config"},
		{"num.partitions", "3", BrokerLevel, "num.partitions is read-only: move it to config"},
		{"min.insync.replicas", "2", ClusterLevel, ""},
		{"min.insync.replicas", "2", BrokerLevel, "Kafka refuses it for one broker while eligible leader replicas are enabled (KIP-966): move it to spec.dynamicConfig"},
		{"sasl.jaas.config", "x", BrokerLevel, ""},
		{"sasl.jaas.config", "x", ClusterLevel, "sasl.jaas.config can be set for single brokers only: move it to the dynamicConfig of groups or brokers"},
		{"listener.name.internal.max.connections", "5", ClusterLevel, ""},
		{"listener.name.internal.sasl.enabled.mechanisms", "x", ClusterLevel, "listener.name.internal.sasl.enabled.mechanisms can be set for single brokers only: move it to the dynamicConfig of groups or brokers"},
		{"listener.name.internal.connections.max.reauth.ms", "5", BrokerLevel, "listener.name.internal.connections.max.reauth.ms is read-only: move it to config"},
		{"cordoned.log.dirs", "*", BrokerLevel, "it is set by Koperator from spec.brokers and storage: remove it"},
		{"my.plugin.setting", "x", BrokerLevel, ""},
	}
	for _, tt := range tests {
		expectProblem(t, tt.key, tt.value, tt.want, CheckDynamicConfig(map[string]string{tt.key: tt.value}, tt.level))
	}
}

func expectProblem(t *testing.T, key, value, want string, problems []Problem) {
	t.Helper()
	var got string
	for _, p := range problems {
		if p.Key != key {
			t.Errorf("%s=%s: problem of %s", key, value, p.Key)
		}
		got += p.Message
	}
	if got != want {
		t.Errorf("%s=%s: got %q, want %q", key, value, got, want)
	}
}

func TestProblemsAreSorted(t *testing.T) {
	problems := CheckConfig(map[string]string{"node.id": "1", "broker.rack": "a", "num.io.threads": "x"})
	var text []string
	for _, p := range problems {
		text = append(text, p.String())
	}
	want := "broker.rack: it is set by Koperator from spec.rackAwareness: remove it; " +
		"node.id: it is set by Koperator from spec.brokers[].id: remove it; " +
		`num.io.threads: "x" is not a whole number of 32 bits`
	if got := strings.Join(text, "; "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWarnings(t *testing.T) {
	warnings := Warnings(map[string]string{"num.io.threds": "16", "num.io.threads": "16", "zookeeper.connect": "x"})
	if len(warnings) != 2 || warnings[0].Key != "num.io.threds" || warnings[1].Key != "zookeeper.connect" {
		t.Errorf("got %v", warnings)
	}
}

// Whatever Koperator sets itself is not the user's, with its own definition in Kafka.
func TestOwnedPropertiesAreKnown(t *testing.T) {
	for _, o := range owners {
		if Classify(o.key) == Unknown {
			t.Errorf("Kafka does not have %s", o.key)
		}
	}
	for _, key := range certificateProperties {
		if Classify(key) != PerBroker {
			t.Errorf("%s is %s", key, Classify(key))
		}
	}
}
