package translate

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

var modes = []v1beta1.ExternalMode{v1beta1.ExternalSNI, v1beta1.ExternalPortPerBroker}

// sized is a cluster of one external listener and a number of brokers, all ready.
func sized(mode v1beta1.ExternalMode, brokers int32) (*v1beta1.KafkaCluster, ir.Facts) {
	kc := &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kafka", Name: "orders"},
		Spec: v1beta1.KafkaClusterSpec{Listeners: []v1beta1.Listener{{
			Name: "public", Port: 9094, Type: v1beta1.ListenerExternal,
			External: &v1beta1.ExternalAccess{Mode: mode, Domain: "orders.example.com"},
		}}},
	}
	facts := ir.Facts{Revision: 1, Ports: map[string]map[int32]int32{"public": {}}}
	for id := range brokers {
		facts.Brokers = append(facts.Brokers, ir.BrokerFact{ID: id, PodIP: podIP(id), Ready: true, Zone: fmt.Sprintf("zone-%d", id%3)})
		facts.Ports["public"][id] = 20000 + id
	}
	return kc, facts
}

func podIP(number int32) string {
	return fmt.Sprintf("10.%d.%d.%d", number>>16, number>>8&255, number&255)
}

// BenchmarkAll is from the KafkaCluster to the resources, as when a replica starts.
func BenchmarkAll(b *testing.B) {
	for _, mode := range modes {
		for _, brokers := range []int32{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", mode, brokers), func(b *testing.B) {
				kc, facts := sized(mode, brokers)
				for b.Loop() {
					if _, err := Translate(ir.Build(kc, facts)[0]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOne is the same after one broker has another address.
func BenchmarkOne(b *testing.B) {
	for _, mode := range modes {
		b.Run(string(mode), func(b *testing.B) {
			kc, facts := sized(mode, 1000)
			fleet := ir.Build(kc, facts)[0]
			made := mustTranslate(b, fleet)
			for i := int32(0); b.Loop(); i++ {
				facts.Brokers[500].PodIP = podIP(100_000 + i%1000)
				next := ir.Build(kc, facts)[0]
				updated, err := Update(fleet, made, next)
				if err != nil {
					b.Fatal(err)
				}
				fleet, made = next, updated
			}
		})
	}
}
