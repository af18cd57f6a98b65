package translate

import (
	"fmt"
	"net/netip"
	"regexp"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
)

// The names that reach a proxy: the API has refused others, and they are part of what Envoy interprets (formats,
// wildcards), so they are looked at again.
var (
	labelPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	hostPattern  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`)
)

const maxPort = 65535

func checkFleet(f ir.Fleet) error {
	if f.Revision < 1 || f.Revision > LatestRevision {
		return fmt.Errorf("the templates have no revision %d: this version knows 1 to %d", f.Revision, LatestRevision)
	}
	for _, name := range []string{f.Namespace, f.Cluster, f.Name()} {
		if !labelPattern.MatchString(name) {
			return fmt.Errorf("%q is no name", name)
		}
	}
	for i := range f.Listeners {
		if err := checkListener(&f.Listeners[i]); err != nil {
			return fmt.Errorf("listener %q: %w", f.Listeners[i].Name, err)
		}
	}
	return nil
}

func checkListener(l *ir.Listener) error {
	if !labelPattern.MatchString(l.Name) {
		return fmt.Errorf("%q is no name", l.Name)
	}
	for _, prefix := range l.AllowedSources {
		if prefix != prefix.Masked() || !prefix.IsValid() {
			return fmt.Errorf("an allowed source is no range of addresses: %s", prefix)
		}
	}
	if l.MaxConnections < 0 || l.MaxConnectionRate < 0 {
		return fmt.Errorf("a limit is below 0: %d, %d", l.MaxConnections, l.MaxConnectionRate)
	}
	if k := l.Keepalive; min(k.Time, k.Interval, k.Probes, k.UserTimeout) < 1 {
		return fmt.Errorf("keepalive has a value below 1: %+v", k)
	}
	if err := checkPlaces(l); err != nil {
		return err
	}
	for _, broker := range l.Brokers {
		if broker.Endpoint == nil {
			continue
		}
		if err := checkEndpoint(*broker.Endpoint); err != nil {
			return fmt.Errorf("broker %d: %w", broker.ID, err)
		}
	}
	for _, endpoint := range l.Bootstrap {
		if err := checkEndpoint(endpoint); err != nil {
			return fmt.Errorf("bootstrap: %w", err)
		}
	}
	return nil
}

// checkPlaces is about where clients find brokers: by host name, or by port.
func checkPlaces(l *ir.Listener) error {
	switch l.Mode {
	case v1beta1.ExternalSNI:
		return checkHosts(l)
	case v1beta1.ExternalPortPerBroker:
		return checkPorts(l)
	}
	return fmt.Errorf("the mode %q is not known", l.Mode)
}

func checkHosts(l *ir.Listener) error {
	if !isPort(l.Port) {
		return fmt.Errorf("%d is no port", l.Port)
	}
	if !hostPattern.MatchString(l.Domain) {
		return fmt.Errorf("%q is no domain", l.Domain)
	}
	if l.BootstrapHost != "" && !hostPattern.MatchString(l.BootstrapHost) {
		return fmt.Errorf("%q is no host name", l.BootstrapHost)
	}
	for _, broker := range l.Brokers {
		if !hostPattern.MatchString(broker.Host) {
			return fmt.Errorf("broker %d: %q is no host name", broker.ID, broker.Host)
		}
	}
	return nil
}

func checkPorts(l *ir.Listener) error {
	if l.Port != 0 && !isPort(l.Port) {
		return fmt.Errorf("%d is no port", l.Port)
	}
	for _, broker := range l.Brokers {
		if !isPort(broker.Port) {
			return fmt.Errorf("broker %d: %d is no port", broker.ID, broker.Port)
		}
	}
	return nil
}

func checkEndpoint(e ir.Endpoint) error {
	if ip, err := netip.ParseAddr(e.Address); err != nil || ip.Zone() != "" {
		return fmt.Errorf("%q is no IP address", e.Address)
	}
	if !isPort(e.Port) {
		return fmt.Errorf("%d is no port", e.Port)
	}
	return nil
}

func isPort(port int32) bool {
	return port >= 1 && port <= maxPort
}
