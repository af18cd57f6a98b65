package cel

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The largest cluster that the schema allows.
const (
	mostBrokers = 512
	mostGroups  = 32
	mostDisks   = 32
	// One is of each mode in turn.
	mostListeners = 16
	mostOverrides = 128

	mostProxyGroups = 16

	mostGoals      = 32
	mostProperties = 256
)

// TestLargestCluster stays within the budget that the API server has for the CEL rules of one object. A rule that is
// linear in the brokers passes; one that compares each broker with each other does not.
func TestLargestCluster(t *testing.T) {
	ctx := context.Background()
	obj := largest(0)
	if err := timed(t, "created", func() error { return api.Create(ctx, obj) }); err != nil {
		t.Fatalf("refused: %v", err)
	}
	defer func() { _ = api.Delete(ctx, obj.DeepCopy()) }()

	for name, change := range map[string]func() *unstructured.Unstructured{
		"with the same spec":           func() *unstructured.Unstructured { return largest(0) },
		"with all other ids":           func() *unstructured.Unstructured { return largest(10_000) },
		"with all disks grown":         func() *unstructured.Unstructured { return withSizes(largest(0), "2Ti", "2Ti") },
		"with the groups' sizes alone": func() *unstructured.Unstructured { return withSizes(largest(0), "1Ti", "") },
	} {
		changed := change()
		changed.SetResourceVersion(obj.GetResourceVersion())
		err := timed(t, "updated "+name, func() error { return api.Update(ctx, changed, client.DryRunAll) })
		if err != nil {
			t.Errorf("updated %s: refused: %.500s", name, err.Error())
		}
	}
}

func timed(t *testing.T, what string, do func() error) error {
	t.Helper()
	begin := time.Now()
	err := do()
	t.Logf("%s in %s", what, time.Since(begin).Round(time.Millisecond))
	return err
}

// largest is a cluster with all that the schema allows: each broker names all disks of its group as well.
func largest(firstID int) *unstructured.Unstructured {
	var groups, brokers, listeners []any
	for i := range mostGroups {
		group := map[string]any{"name": groupName(i), "roles": []any{"broker", "controller"}, "storage": disks("1Ti")}
		groups = append(groups, group)
	}
	for i := range mostBrokers {
		broker := map[string]any{"id": int64(firstID + i), "group": groupName(i % mostGroups), "storage": disks("1Ti")}
		brokers = append(brokers, broker)
	}
	for i := range mostListeners {
		listeners = append(listeners, externalListener(i))
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kafka.koperator.dev/v1beta1",
		"kind":       "KafkaCluster",
		"metadata":   map[string]any{"name": "largest", "namespace": metav1.NamespaceDefault},
		"spec": map[string]any{
			"brokerGroups": groups, "brokers": brokers, "listeners": listeners, "envoy": map[string]any{"groups": proxyGroups()},
			"cruiseControl": largestCruiseControl(),
		},
	}}
}

func externalListener(i int) map[string]any {
	domain := fmt.Sprintf("cluster-%02d.example.com", i)
	var overrides []any
	for id := range mostOverrides {
		overrides = append(overrides, map[string]any{"id": int64(id), "host": fmt.Sprintf("a-rather-long-name-%d.%s", id, domain)})
	}
	access := map[string]any{"domain": domain, "brokers": overrides}
	if i%2 == 1 {
		access["mode"] = "PortPerBroker"
		access["brokerPorts"] = map[string]any{"first": int64(20_000 + i*1000), "count": int64(mostBrokers)}
	}
	return map[string]any{"name": fmt.Sprintf("l%d", i), "port": int64(10_000 + i), "type": "External", "external": access}
}

// proxyGroups name as many brokers as they can, each another one.
func proxyGroups() []any {
	var groups []any
	for i := range mostProxyGroups {
		var names, ids []any
		for j := i; j < mostGroups; j += mostProxyGroups {
			names = append(names, groupName(j))
		}
		for j := range mostBrokers {
			ids = append(ids, int64(i*mostBrokers+j))
		}
		groups = append(groups, map[string]any{"name": fmt.Sprintf("zone-%d", i), "brokerGroups": names, "brokers": ids})
	}
	return groups
}

// largestCruiseControl has names and values that are as long as they can be.
func largestCruiseControl() map[string]any {
	config := map[string]any{}
	for i := range mostProperties {
		config[fmt.Sprintf("%s%03d", strings.Repeat("a", 253), i)] = strings.Repeat("v", 1024)
	}
	return map[string]any{
		"image": strings.Repeat("a", 512), "config": config, "goals": goals(), "hardGoals": goals(),
		"networkCapacity": map[string]any{"inbound": "125Mi", "outbound": "125Mi"},
	}
}

func goals() []any {
	var all []any
	for i := range mostGoals {
		all = append(all, strings.Repeat("G", 60-i)+"Goal")
	}
	return all
}

// TestLargestOperation does for operations what TestLargestCluster does for clusters.
func TestLargestOperation(t *testing.T) {
	for name, spec := range map[string]map[string]any{
		"RemoveBrokers": {"brokers": ids(0), "destinationBrokers": ids(mostBrokers), "goals": goals(), "excludedTopics": strings.Repeat("a", 1024)},
		"RemoveDisks":   {"disks": disksOfBrokers()},
	} {
		t.Run(name, func(t *testing.T) {
			spec["type"], spec["clusterRef"] = name, map[string]any{"name": "largest"}
			obj := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "kafka.koperator.dev/v1beta1",
				"kind":       "CruiseControlOperation",
				"metadata":   map[string]any{"name": "largest", "namespace": metav1.NamespaceDefault},
				"spec":       spec,
			}}
			if err := timed(t, "created", func() error { return api.Create(context.Background(), obj) }); err != nil {
				t.Fatalf("refused: %v", err)
			}
			defer func() { _ = api.Delete(context.Background(), obj.DeepCopy()) }()
			set(t, obj.Object, "/spec", map[string]any{"suspend": true})
			if err := timed(t, "updated", func() error { return api.Update(context.Background(), obj) }); err != nil {
				t.Errorf("updated: refused: %.500s", err.Error())
			}
		})
	}
}

func ids(first int) []any {
	var all []any
	for i := range mostBrokers {
		all = append(all, int64(first+i))
	}
	return all
}

func disksOfBrokers() []any {
	var all []any
	for i := range mostBrokers {
		var paths []any
		for j := range mostDisks {
			paths = append(paths, fmt.Sprintf("/%s%02d", strings.Repeat("a", 61), j))
		}
		all = append(all, map[string]any{"broker": int64(i), "paths": paths})
	}
	return all
}

func groupName(i int) string { return fmt.Sprintf("group-of-brokers-with-a-long-name-%02d", i) }

func disks(size string) []any {
	var all []any
	for i := range mostDisks {
		all = append(all, map[string]any{"path": fmt.Sprintf("/d%02d", i), "size": size})
	}
	return all
}

// withSizes gives all disks of groups, and of brokers, a size; without one, brokers have no disks of their own.
func withSizes(obj *unstructured.Unstructured, group, broker string) *unstructured.Unstructured {
	spec := obj.Object["spec"].(map[string]any)
	for _, g := range spec["brokerGroups"].([]any) {
		g.(map[string]any)["storage"] = disks(group)
	}
	for _, b := range spec["brokers"].([]any) {
		delete(b.(map[string]any), "storage")
		if broker != "" {
			b.(map[string]any)["storage"] = disks(broker)
		}
	}
	return obj
}
