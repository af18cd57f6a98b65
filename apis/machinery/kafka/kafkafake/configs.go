package kafkafake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"koperator.dev/koperator/apis/machinery/kafka"
)

const (
	cordonedLogDirs = "cordoned.log.dirs"
	minISR          = "min.insync.replicas"
)

// readOnly are properties that Kafka refuses to change without a restart, as far as tests may want to try.
var readOnly = []string{
	"advertised.listeners", "auto.create.topics.enable", "broker.rack", "broker.session.timeout.ms",
	"controller.quorum.bootstrap.servers", "default.replication.factor", "inter.broker.listener.name", "log.dirs", "node.id",
	"num.partitions", "process.roles", "remote.log.manager.thread.pool.size", "ssl.principal.mapping.rules",
}

// DynamicConfig implements kafka.Admin.
func (k *Kafka) DynamicConfig(ctx context.Context, node int32) (map[string]string, error) {
	config := map[string]string{}
	err := k.call(ctx, "DynamicConfig", nodeName(node), func() error {
		if err := k.canConfigure(node); err != nil {
			return err
		}
		maps.Copy(config, k.state.Configs[node])
		return nil
	})
	if err != nil {
		return nil, err
	}
	return config, nil
}

// AlterDynamicConfig implements kafka.Admin. It is refused as a whole or done as a whole, as in Kafka.
func (k *Kafka) AlterDynamicConfig(ctx context.Context, node int32, set map[string]string, remove []string) error {
	return k.call(ctx, "AlterDynamicConfig", alterationArgs(node, set, remove), func() error {
		if err := k.canConfigure(node); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if err := k.checkProperty(node, name, set[name]); err != nil {
				return err
			}
		}
		if node == kafka.ClusterWide && slices.Contains(remove, minISR) {
			return fmt.Errorf("%w (Cluster-level min.insync.replicas cannot be removed while ELR is enabled.)", kerr.InvalidConfig)
		}
		config := maps.Clone(k.state.Configs[node])
		if config == nil {
			config = map[string]string{}
		}
		maps.Copy(config, set)
		for _, name := range remove {
			delete(config, name)
		}
		// What was set before is checked again: with a cordon of a directory that is gone, nothing else can be set.
		if err := k.checkCordon(node, config[cordonedLogDirs]); err != nil {
			return err
		}
		k.state.Configs[node] = config
		k.applyCordon(node, config[cordonedLogDirs])
		return nil
	})
}

// canConfigure says whether somebody is there to answer: the broker itself, a controller for controllers, any broker for
// all of them.
func (k *Kafka) canConfigure(node int32) error {
	ok := k.serving(node)
	if node == kafka.ClusterWide {
		ok = k.anyServing()
	}
	q := k.state.Quorum
	for _, r := range slices.Concat(q.Voters, q.Observers) {
		if _, isBroker := k.state.Brokers[r.ID]; r.ID == node && !isBroker {
			ok = q.Leader >= 0
		}
	}
	if !ok {
		return fmt.Errorf("%w: node %s does not serve", kafka.ErrUnreachable, nodeName(node))
	}
	return nil
}

// checkProperty refuses what Kafka refuses.
func (k *Kafka) checkProperty(node int32, name, value string) error {
	switch {
	case slices.Contains(readOnly, name):
		return fmt.Errorf("%w (Cannot update these configs dynamically: [%s])", kerr.InvalidRequest, name)
	case strings.HasPrefix(name, "ssl.keystore.") || strings.HasPrefix(name, "ssl.truststore."):
		return fmt.Errorf("%w (These security configs can be dynamically updated only per-listener using the listener prefix: [%s])", kerr.InvalidRequest, name)
	case name == minISR && node != kafka.ClusterWide:
		return fmt.Errorf("%w (Broker-level min.insync.replicas cannot be altered while ELR is enabled.)", kerr.InvalidConfig)
	case node == kafka.ClusterWide && (name == cordonedLogDirs || name == "listeners" || strings.HasPrefix(name, "listener.name.")):
		return fmt.Errorf("%w (Cannot update these configs at default cluster level, broker id must be specified: [%s])", kerr.InvalidRequest, name)
	case name == cordonedLogDirs:
		return k.checkCordon(node, value)
	}
	return nil
}

func (k *Kafka) checkCordon(node int32, value string) error {
	for _, path := range cordoned(value) {
		known := slices.ContainsFunc(k.state.LogDirs[node], func(d kafka.LogDir) bool { return d.Path == path })
		if path != "*" && !known {
			return fmt.Errorf("%w (All entries in %s must be present in log.dirs or log.dir. Missing entries : %s)", kerr.InvalidRequest, cordonedLogDirs, path)
		}
	}
	return nil
}

// applyCordon marks the log directories (KIP-1066).
func (k *Kafka) applyCordon(node int32, value string) {
	paths := cordoned(value)
	dirs := slices.Clone(k.state.LogDirs[node])
	for i := range dirs {
		dirs[i].Cordoned = slices.Contains(paths, dirs[i].Path) || slices.Contains(paths, "*")
	}
	if dirs != nil {
		k.state.LogDirs[node] = dirs
	}
}

func cordoned(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}

func alterationArgs(node int32, set map[string]string, remove []string) string {
	return nodeName(node) + " " + propertyArgs(set, remove)
}

func propertyArgs(set map[string]string, remove []string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		parts = append(parts, name+"="+set[name])
	}
	for _, name := range slices.Sorted(slices.Values(remove)) {
		parts = append(parts, "-"+name)
	}
	return strings.Join(parts, " ")
}

func nodeName(node int32) string {
	if node == kafka.ClusterWide {
		return "cluster"
	}
	return fmt.Sprint(node)
}
