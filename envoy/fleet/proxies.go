package fleet

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/ir"
)

// KnowsProxy tells whether a Pod is a proxy of a fleet: the certificate is the same for all of a fleet, and names of Pods that
// are none would be counted.
func KnowsProxy(ctx context.Context, c client.Reader) func(fleet, pod string) bool {
	return func(fleet, name string) bool {
		namespace, fleetName, _ := strings.Cut(fleet, "/")
		pod := &corev1.Pod{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod, client.UnsafeDisableDeepCopy); err != nil {
			return false
		}
		return isProxy(pod) && ir.FleetName(pod.Labels[v1beta1.LabelCluster], pod.Labels[objects.LabelGroup]) == fleetName
	}
}
