package loadbalancer

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"koperator.dev/koperator/test/cluster/internal/fabric"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/netns"
)

const checkInterval = time.Second

// balancer spreads connections over the nodes, and follows their health.
type balancer struct {
	network  fabric.Fabric
	services corelisters.ServiceLister
	changed  chan struct{}
	health   *health
	zone     *zone

	// rules and way are what is in force.
	rules string
	way   layout.Node
}

func newBalancer(factory informers.SharedInformerFactory, network fabric.Fabric) (*balancer, error) {
	b := &balancer{
		network:  network,
		services: factory.Core().V1().Services().Lister(),
		changed:  make(chan struct{}, 1),
		health:   newHealth(netns.Dialer(network.Cluster.Namespace(layout.ControlPlane))),
		// The empty zone that CoreDNS was started with has the first serial number.
		zone: &zone{file: network.Cluster.Zone(), serial: 1},
	}
	_, err := factory.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { b.wake() },
		UpdateFunc: func(any, any) { b.wake() },
		DeleteFunc: func(any) { b.wake() },
	})
	return b, err
}

func (b *balancer) wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *balancer) run(ctx context.Context) {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		if err := b.balance(ctx); err != nil {
			slog.Error("Balancing load", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-b.changed:
		case <-ticker.C:
		}
	}
}

func (b *balancer) balance(ctx context.Context) error {
	services, err := b.services.List(labels.Everything())
	if err != nil {
		return err
	}
	all := frontends(services)
	b.health.check(ctx, healthPorts(all))
	if err := b.chooseWay(); err != nil {
		return err
	}
	if err := b.zone.update(services); err != nil {
		return err
	}
	wanted := rules(all, b.health.healthy)
	if wanted == b.rules {
		return nil
	}
	if err := b.apply(ctx, wanted); err != nil {
		return err
	}
	b.rules = wanted
	return nil
}

func healthPorts(all []frontend) map[int32]bool {
	ports := map[int32]bool{proxyHealthPort: true}
	for _, f := range all {
		ports[f.healthPort] = true
	}
	return ports
}

// chooseWay keeps to a node as long as it works: connections that change nodes break.
func (b *balancer) chooseWay() error {
	if b.health.healthy(b.way, proxyHealthPort) {
		return nil
	}
	for _, n := range layout.AllNodes() {
		if b.health.healthy(n, proxyHealthPort) {
			if err := b.network.RouteServices(n); err != nil {
				return err
			}
			b.way = n
			return nil
		}
	}
	return nil
}

func (b *balancer) apply(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := netns.Do(b.network.Cluster.Namespace(layout.ControlPlane), cmd.Start); err != nil {
		return fmt.Errorf("starting nft: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("running nft: %w: %s", err, output.String())
	}
	slog.Info("Balancing load", "rules", rules)
	return nil
}
