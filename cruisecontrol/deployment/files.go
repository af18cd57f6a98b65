package deployment

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/properties"
)

// Keys of the ConfigMap.
const (
	PropertiesKey = "cruisecontrol.properties"
	CapacityKey   = "capacity.json"
	LoggingKey    = "log4j2.properties"
)

// logging makes Cruise Control log to its standard output. The configuration of its distribution writes files too.
//
//go:embed log4j2.properties
var logging string

// filesOf are the files that Cruise Control reads when it starts. Those that it runs with stay as they are, byte for byte,
// while nothing that matters differs; then reason is empty.
func filesOf(kc *v1beta1.KafkaCluster, running *corev1.ConfigMap) (files map[string]string, reason string, err error) {
	capacity, err := capacitiesOf(kc).render()
	if err != nil {
		return nil, "", fmt.Errorf("writing %s: %w", CapacityKey, err)
	}
	files = map[string]string{PropertiesKey: Properties(kc), CapacityKey: capacity, LoggingKey: logging}
	if running == nil {
		return files, "", nil
	}
	if reason := fileReason(kc, running.Data); reason != "" {
		return files, reason, nil
	}
	return running.Data, "", nil
}

// Outdated says why plans of the Cruise Control that runs would be wrong: it was started from other files than it would be
// started from now. It is empty if they would not. Operations wait for its restart before they plan.
func Outdated(kc *v1beta1.KafkaCluster, running *corev1.ConfigMap) string {
	if !IsManaged(kc) || running == nil {
		return ""
	}
	return fileReason(kc, running.Data)
}

// AllowsEstimates tells whether plans may be made with what Cruise Control calls an estimate of a broker's capacity: the entry
// for all brokers in the file that Koperator writes is none.
func AllowsEstimates(kc *v1beta1.KafkaCluster) bool { return IsManaged(kc) }

// fileReason is the first thing in which files that Cruise Control runs with differ from what they should be.
func fileReason(kc *v1beta1.KafkaCluster, have map[string]string) string {
	was, err := properties.Parse(have[PropertiesKey])
	if err != nil {
		return PropertiesKey + " cannot be read"
	}
	wanted := properties.Values(propertiesOf(kc))
	for _, key := range slices.Sorted(maps.Keys(mapsUnion(was, wanted))) {
		if was[key] != wanted[key] {
			return "property " + key + " changed"
		}
	}
	if id, found := otherBroker(kc, have[CapacityKey]); found {
		return fmt.Sprintf("broker %d has other disks, CPU or network than it is planned with", id)
	}
	if have[LoggingKey] != logging {
		return LoggingKey + " changed"
	}
	return ""
}

func mapsUnion(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func configMap(kc *v1beta1.KafkaCluster, files map[string]string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(v1beta1.CruiseControlName(kc.Name), kc.Namespace).
		WithLabels(labels(kc)).
		WithOwnerReferences(ownerReference(kc)).
		WithData(files)
}

// hashOf tells texts apart by their names.
func hashOf[T string | []byte](texts map[string]T) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		_, _ = fmt.Fprintf(h, "%q %q\n", name, texts[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
