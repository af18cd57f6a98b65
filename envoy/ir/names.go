package ir

import (
	"slices"
	"strconv"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// First parts of host names, where the spec says none.
const (
	defaultBrokerHost    = "broker-{id}"
	defaultBootstrapHost = "bootstrap"
)

// Name is the name of the proxies' Deployment.
func (f Fleet) Name() string {
	return FleetName(f.Cluster, f.Group)
}

// Key is the name by which proxies ask for their configuration: node.cluster in Envoy's words.
func (f Fleet) Key() string {
	return f.Namespace + "/" + f.Name()
}

// FleetName is the name of the Deployment of a group of proxies; group is empty when the spec has no groups.
func FleetName(cluster, group string) string {
	if group == "" {
		return cluster + "-envoy"
	}
	return cluster + "-envoy-" + group
}

// Hosts are the host names that clients are told for brokers with SNI. A name belongs to one broker: where overrides give
// the same one to several, the lowest id has it, and the others are left out. So is who would have the name that clients
// start from.
func Hosts(access *v1beta1.ExternalAccess, ids []int32) map[int32]string {
	hosts := map[int32]string{}
	taken := map[string]bool{BootstrapHost(access): true}
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if host := BrokerHost(access, id); !taken[host] {
			hosts[id] = host
			taken[host] = true
		}
	}
	return hosts
}

// BrokerHost is the host name that clients are told for a broker with SNI, if no other has it: see Hosts.
func BrokerHost(access *v1beta1.ExternalAccess, id int32) string {
	for _, override := range access.Brokers {
		if override.ID == id && override.Host != "" {
			return strings.ToLower(override.Host)
		}
	}
	template := orDefault(access.BrokerHost, defaultBrokerHost)
	return inDomain(strings.ReplaceAll(template, "{id}", strconv.Itoa(int(id))), access)
}

// BootstrapHost is the host name that clients start from with SNI.
func BootstrapHost(access *v1beta1.ExternalAccess) string {
	return inDomain(orDefault(access.BootstrapHost, defaultBootstrapHost), access)
}

// inDomain is in lower case, as Envoy sees the names that clients ask for.
func inDomain(label string, access *v1beta1.ExternalAccess) string {
	return strings.ToLower(label + "." + access.Domain)
}

// orDefault is value, or otherwise where value is not set.
func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
