package xds

import (
	"slices"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/translate"
)

var modes = []v1beta1.ExternalMode{v1beta1.ExternalSNI, v1beta1.ExternalPortPerBroker}

// What happens to one broker is none of the others' business: their connections stay open, and new ones get through at
// any moment.
func TestOpenConnectionsToOthersSurvive(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode, 4)
			clients := w.startTraffic(t, 0, 1)
			toTwo, err := w.dial(2)
			if err != nil {
				t.Fatal(err)
			}

			w.addBroker(t, 7)
			w.change(t)
			w.reaches(t, 7, "broker-7")

			w.broker(2).Endpoint = w.startBroker(t, "broker-2-moved")
			w.change(t)
			w.reaches(t, 2, "broker-2-moved")
			if err := toTwo.roundTrip(); err != nil {
				t.Errorf("the open connection of a broker that moves and lives on: %v", err)
			}

			w.broker(2).Endpoint = nil
			w.change(t)
			w.unreachable(t, 2)

			w.broker(2).Endpoint = w.startBroker(t, "broker-2-back")
			w.change(t)
			w.reaches(t, 2, "broker-2-back")

			three := *w.broker(3)
			w.removeBroker(3)
			w.change(t)
			w.listener().Brokers = append(w.listener().Brokers, three)
			until(t, "the removed broker is out of reach", func() bool {
				c, err := w.dial(3)
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			w.change(t)
			w.reaches(t, 3, "broker-3")

			clients.end(t)
			for _, e := range w.envoys {
				e.rejectsNothing(t)
			}
		})
	}
}

// Without the control plane traffic goes on. What changes meanwhile arrives when it is back, and nothing else is sent
// again.
func TestTheControlPlaneIsAway(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode, 40)
			clients := w.startTraffic(t, 0, 1)
			w.plane.stop()
			for _, e := range w.envoys {
				until(t, e.node+" has noticed", func() bool { return e.stats(t, "control_plane.connected_state")["control_plane.connected_state"] == 0 })
				if !e.ready() {
					t.Errorf("%s is not ready without the control plane", e.node)
				}
			}
			w.reaches(t, 1, "broker-1")

			w.broker(2).Endpoint = w.startBroker(t, "broker-2-moved")
			w.removeBroker(3)
			w.addBroker(t, 77)
			w.plane = startControlPlane(t, at(w.plane.address), with(w.plane.authority))
			sent := w.plane.sentBytes()
			w.change(t)
			w.reaches(t, 2, "broker-2-moved")
			w.reaches(t, 77, "broker-77")
			if sent = w.plane.sentBytes() - sent; sent > 20_000 {
				t.Errorf("%d bytes were sent for three changes and two proxies: everything again", sent)
			}
			clients.end(t)
			for _, e := range w.envoys {
				e.rejectsNothing(t)
			}
		})
	}
}

// A proxy that starts before the control plane knows its fleet waits, and takes no traffic meanwhile.
func TestAProxyWaitsForItsFleet(t *testing.T) {
	plane := startControlPlane(t)
	e := startEnvoy(t, "proxy-a", plane)
	until(t, "it has asked", func() bool { return plane.fleet(orders).streams() == 1 })
	if e.ready() {
		t.Error("it is ready and serves nothing")
	}
	plane.publish(t, orders, translate.Empty())
	until(t, "it is ready", e.ready)
}

// One replica is enough, and a proxy that moves to another one is sent nothing again.
func TestAReplicaGoes(t *testing.T) {
	w := newWorld(t, v1beta1.ExternalSNI, 3)
	second := startControlPlane(t, with(w.plane.authority))
	second.publish(t, orders, w.translate(t))
	e := startEnvoy(t, "proxy-c", w.plane, second)
	until(t, "a replica has it", func() bool {
		for _, plane := range []*controlPlane{w.plane, second} {
			if ack, ok := plane.ack(orders, "proxy-c"); ok && ack.Hash != "" && len(ack.Missing) == 0 {
				return true // all of it: what a replica that goes has not sent yet, the other one has to send
			}
		}
		return false
	})
	gone, left := w.plane, second
	if _, there := second.ack(orders, "proxy-c"); there {
		gone, left = second, w.plane
	}
	before := left.sentBytes()
	gone.stop()
	left.acceptedBy(t, orders, w.translate(t), "proxy-c")
	if sent := left.sentBytes() - before; sent > 1000 {
		t.Errorf("%d bytes were sent to a proxy that has everything", sent)
	}
	e.rejectsNothing(t)
}

// Connections end when they are old. Who looks at the acks does not see it.
func TestOldConnectionsAreReplaced(t *testing.T) {
	plane := startControlPlane(t, func(_ *Options, p *controlPlane) {
		p.tune = func(s *Server) {
			s.keepalive.MaxConnectionAge, s.keepalive.MaxConnectionAgeGrace = 200*time.Millisecond, 50*time.Millisecond
		}
	})
	resources := set{}
	for id := range 20 {
		resources = resources.withBroker(id, "10.0.0.1").without(listenerName(id))
	}
	plane.publish(t, orders, resources)
	e := startEnvoy(t, "proxy-a", plane)
	plane.acceptedBy(t, orders, resources, "proxy-a")
	connects := func() int {
		return e.stats(t, "xds_cluster.upstream_cx_total")["cluster.xds_cluster.upstream_cx_total"]
	}
	begin := connects()
	until(t, "four connections were replaced", func() bool {
		if ack, ok := plane.ack(orders, "proxy-a"); !ok || len(ack.Missing) > 0 {
			t.Fatalf("got %+v, want everything accepted all the time", ack)
		}
		return connects() >= begin+4
	})
}

// Certificates are replaced as Kubernetes does it. Envoy reads them again and keeps its stream; the next stream uses
// them.
func TestCertificatesOfAProxyAreReplaced(t *testing.T) {
	w := newWorld(t, v1beta1.ExternalSNI, 1)
	old, next := w.plane.authority, newAuthority(t)
	both := append(slices.Clone(old.CertificatePEM), next.CertificatePEM...)
	e := w.envoys[0]
	updates := func() int {
		total := 0
		for name, count := range e.stats(t, "ssl_context_update_by_sds") {
			if strings.HasPrefix(name, "cluster.xds_cluster.") {
				total += count
			}
		}
		return total
	}
	streams := func() int {
		return e.stats(t, "xds_cluster.upstream_rq_total")["cluster.xds_cluster.upstream_rq_total"]
	}
	count, begin := updates(), streams()
	for _, e := range w.envoys {
		e.certificates(t, next.leaf(t, proxyRequest(FleetURI(orders))), both)
	}
	until(t, "Envoy has read the new files", func() bool { return updates() >= count+2 })
	w.addBroker(t, 5)
	w.change(t)
	w.reaches(t, 5, "broker-5")
	if got := streams(); got != begin {
		t.Errorf("%d streams were opened for it", got-begin)
	}

	// A control plane that trusts only the new authority, and has a certificate of it.
	w.plane.stop()
	w.plane = startControlPlane(t, at(w.plane.address), with(next))
	w.removeBroker(5)
	w.change(t)
	for _, e := range w.envoys {
		e.rejectsNothing(t)
	}
}
