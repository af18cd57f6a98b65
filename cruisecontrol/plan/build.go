package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	// maxName is how long a name can be that is the value of a label too.
	maxName = 63
	// maxDiskBrokers is a bound of the API: further ones get an operation of their own.
	maxDiskBrokers = 64
	// maxTargets are as many as an annotation can name.
	maxTargets = 2048
)

// names of the operations of each kind.
var names = map[v1beta1.OperationType]string{
	v1beta1.AddBrokers:         "add-brokers",
	v1beta1.RemoveBrokers:      "remove-brokers",
	v1beta1.RemoveDisks:        "remove-disks",
	v1beta1.RebalanceDisks:     "rebalance-disks",
	v1beta1.FixOfflineReplicas: "fix-offline-replicas",
}

// create makes an operation.
func (p *planner) create(w wish, targets []target) {
	if w.kind == v1beta1.RemoveDisks {
		targets = firstBrokers(targets, maxDiskBrokers)
	}
	targets = targets[:min(len(targets), maxTargets)]
	cluster := p.Cluster
	op := &v1beta1.CruiseControlOperation{
		TypeMeta: metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "CruiseControlOperation"},
		ObjectMeta: metav1.ObjectMeta{
			Name: p.name(w.kind, targets), Namespace: cluster.Namespace,
			Labels: map[string]string{
				v1beta1.LabelCluster: cluster.Name, v1beta1.LabelOrigin: v1beta1.OriginPlanner, v1beta1.LabelManagedBy: "koperator",
			},
			Annotations: map[string]string{v1beta1.AnnotationTargets: formatTargets(targets)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1beta1.GroupVersion.String(), Kind: "KafkaCluster", Name: cluster.Name, UID: cluster.UID, Controller: ptr.To(true),
			}},
		},
		Spec: p.spec(w.kind, targets),
	}
	p.plan.Create = append(p.plan.Create, Creation{Operation: op, Why: named(targets) + " " + w.why})
	p.wait(CodeMoving, "operation %s, which %s, is being made", op.Name, purpose(w.kind, targets))
}

func firstBrokers(targets []target, count int) []target {
	seen := map[int32]bool{}
	for i, t := range targets {
		if seen[t.broker] = true; len(seen) > count {
			return targets[:i]
		}
	}
	return targets
}

// name is the same in each pass until the operation is seen: what it is made for, and the last one that was made for any of it.
// Whoever deletes that one, or makes the same wish again later, gets another name.
func (p *planner) name(kind v1beta1.OperationType, targets []target) string {
	before := ""
	for _, op := range p.operations {
		if op.ours && op.Spec.Type == kind && slices.ContainsFunc(targets, func(t target) bool { return op.places[t.place()] }) {
			before = string(op.UID)
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s/%s", p.Cluster.UID, kind, formatTargets(targets), before))
	suffix := "-" + names[kind] + "-" + hex.EncodeToString(sum[:5])
	prefix := p.Cluster.Name
	prefix = strings.TrimRight(prefix[:min(len(prefix), maxName-len(suffix))], "-.")
	return prefix + suffix
}

// spec is what the operation does. What automation does not say is as the API has it by default. Disks are emptied at Cruise
// Control's own pace, and a throttle is for what goes from one broker to another: the API refuses what would not be heard.
func (p *planner) spec(kind v1beta1.OperationType, targets []target) v1beta1.CruiseControlOperationSpec {
	automation := p.automation()
	spec := v1beta1.CruiseControlOperationSpec{
		ClusterRef: v1beta1.ClusterReference{Name: p.Cluster.Name},
		Type:       kind,
	}
	if kind != v1beta1.RemoveDisks {
		spec.Concurrency = automation.Concurrency.DeepCopy()
	}
	if automation.Approval != "" {
		spec.Approval = &v1beta1.OperationApproval{Mode: automation.Approval}
	}
	if automation.ReplicationThrottle != nil && kind != v1beta1.RemoveDisks && kind != v1beta1.RebalanceDisks {
		spec.ReplicationThrottle = ptr.To(automation.ReplicationThrottle.DeepCopy())
	}
	switch kind {
	case v1beta1.AddBrokers, v1beta1.RemoveBrokers:
		for _, t := range targets {
			spec.Brokers = append(spec.Brokers, t.broker)
		}
	case v1beta1.RemoveDisks:
		spec.Disks = disksOf(targets)
	}
	return spec
}

func disksOf(targets []target) []v1beta1.BrokerDisks {
	var disks []v1beta1.BrokerDisks
	for _, t := range targets {
		if last := len(disks) - 1; last >= 0 && disks[last].Broker == t.broker {
			disks[last].Paths = append(disks[last].Paths, t.path)
		} else {
			disks = append(disks, v1beta1.BrokerDisks{Broker: t.broker, Paths: []string{t.path}})
		}
	}
	return disks
}

// hint is an operation for a person to make, as YAML in a line.
func (p *planner) hint(kind v1beta1.OperationType, targets []target) string {
	spec := p.spec(kind, targets)
	which := ""
	if len(spec.Brokers) > 0 {
		which = fmt.Sprintf(", brokers: %s", strings.ReplaceAll(fmt.Sprint(spec.Brokers), " ", ", "))
	}
	if len(spec.Disks) > 0 {
		var disks []string
		for _, d := range spec.Disks {
			disks = append(disks, fmt.Sprintf("{broker: %d, paths: [%s]}", d.Broker, strings.Join(d.Paths, ", ")))
		}
		which = fmt.Sprintf(", disks: [%s]", strings.Join(disks, ", "))
	}
	return fmt.Sprintf("{apiVersion: %s, kind: CruiseControlOperation, metadata: {generateName: %s-, namespace: %s}, spec: {clusterRef: {name: %s}, type: %s%s}}",
		v1beta1.GroupVersion, p.Cluster.Name, p.Cluster.Namespace, p.Cluster.Name, kind, which)
}
