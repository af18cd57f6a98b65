package loadbalancer

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// HostnameAnnotation names a load balancer, in the way of ExternalDNS: a list of names, of which some may be wildcards.
const HostnameAnnotation = "external-dns.alpha.kubernetes.io/hostname"

// zoneHead is the root of all names. Nobody remembers for more than a second what is not there.
const zoneHead = ". 1 IN SOA localhost. nobody.localhost. %d 1 1 1 1\n. 1 IN NS localhost.\n"

// zone is a file of names that are in no cluster, which CoreDNS reads when its serial number has changed.
type zone struct {
	file    string
	serial  int
	records string
}

// WriteEmptyZone makes a zone file without names.
func WriteEmptyZone(file string) error {
	return (&zone{file: file}).write("")
}

// update writes the file if the names have changed.
func (z *zone) update(services []*corev1.Service) error {
	wanted := records(services)
	if wanted == z.records {
		return nil
	}
	return z.write(wanted)
}

// write replaces the file whole: it may be read at any time.
func (z *zone) write(records string) error {
	z.serial++
	temporary := z.file + ".new"
	if err := os.WriteFile(temporary, fmt.Appendf(nil, zoneHead+"%s", z.serial, records), 0o644); err != nil {
		return fmt.Errorf("writing names: %w", err)
	}
	if err := os.Rename(temporary, z.file); err != nil {
		return fmt.Errorf("writing names: %w", err)
	}
	z.records = records
	return nil
}

func records(services []*corev1.Service) string {
	var lines []string
	for _, s := range services {
		address, ok := addressOf(s)
		if !ok {
			continue
		}
		for name := range strings.SplitSeq(s.Annotations[HostnameAnnotation], ",") {
			if name = strings.Trim(strings.TrimSpace(name), "."); name != "" {
				lines = append(lines, fmt.Sprintf("%s. 1 IN A %s\n", name, address))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// addressOf is the address that a Service was given.
func addressOf(service *corev1.Service) (netip.Addr, bool) {
	if !ours(service) || len(service.Status.LoadBalancer.Ingress) == 0 {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(service.Status.LoadBalancer.Ingress[0].IP)
	return address, err == nil
}
