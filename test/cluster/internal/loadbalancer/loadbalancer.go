// Package loadbalancer does for Services of type LoadBalancer what a cloud does: it gives each an address, checks which
// nodes can serve it, and spreads connections from outside over these.
package loadbalancer

import (
	"context"
	"net/netip"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"koperator.dev/koperator/test/cluster/internal/fabric"
	"koperator.dev/koperator/test/cluster/internal/layout"
)

// Run serves until the context ends.
func Run(ctx context.Context, client kubernetes.Interface, network fabric.Fabric) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	a, err := newAddresses(client, factory, netip.MustParsePrefix(layout.LoadBalancerCIDR))
	if err != nil {
		return err
	}
	b, err := newBalancer(factory, network)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go b.run(ctx)
	a.run(ctx)
	return nil
}
