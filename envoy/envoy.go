// Package envoy is envoy-manager: every moving part of it is in the list of Add.
package envoy

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"koperator.dev/koperator/envoy/fleet"
	"koperator.dev/koperator/envoy/xds"
)

// Add adds every moving part of envoy-manager to mgr.
//
// All replicas serve proxies: they publish what to serve, and tell each other what was accepted. The one that leads makes the
// authority, the proxies and what leads to them, and writes status.
func Add(ctx context.Context, mgr ctrl.Manager, o Options) error {
	image, err := o.image(ctx, mgr.GetAPIReader())
	if err != nil {
		return err
	}
	server, err := o.server()
	if err != nil {
		return err
	}
	proxies, err := xds.New(xds.Options{
		Log: mgr.GetLogger().WithName("xds"), Clock: clock.RealClock{}, Metrics: metrics.Registry,
		KnowsProxy: fleet.KnowsProxy(ctx, mgr.GetClient()),
	})
	if err != nil {
		return fmt.Errorf("making the xDS server: %w", err)
	}
	bell := &fleet.Bell{}
	authority := fleet.NewAuthority(mgr.GetClient(), clock.RealClock{}, o.Self.Namespace, server.Host)
	publisher := fleet.NewPublisher(mgr.GetClient(), proxies, bell)
	exchange := fleet.NewExchange(mgr.GetClient(), proxies, publisher, bell, clock.RealClock{}, o.Self)
	listener := &listener{address: o.XDSAddress, server: proxies, certificates: authority.TLS}
	leader := &fleet.Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("envoy-manager"), Clock: clock.RealClock{},
		Publisher: publisher, Exchange: exchange, Authority: authority, Bell: bell, Server: server, Image: image,
	}
	return errors.Join(
		syncFirst(ctx, mgr.GetCache()),
		// On every replica:
		mgr.Add(authority),
		publisher.SetupWithManager(mgr),
		mgr.Add(listener),
		mgr.Add(exchange),
		mgr.AddReadyzCheck("authority", authority.Ready),
		mgr.AddReadyzCheck("xds", healthz.Checker(listener.ready)),
		// On the one that leads:
		mgr.Add(fleet.Maker{Authority: authority}),
		leader.SetupWithManager(mgr),
	)
}
