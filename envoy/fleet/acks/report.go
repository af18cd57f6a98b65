// Package acks tells what proxies have accepted: from one replica of envoy-manager to another, each of which sees its own
// streams only, and in numbers.
package acks

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"koperator.dev/koperator/envoy/translate"
	"koperator.dev/koperator/envoy/xds"
)

// Report is what a replica knows of the proxies of its streams, by fleet.
type Report map[string]Fleet

// Fleet is what a replica knows of the proxies of a fleet.
type Fleet struct {
	// Cluster is the name of its KafkaCluster.
	Cluster string
	Proxies []xds.ProxyAcks
}

// maxSize is what a report may have, in bytes: a ConfigMap has room for 1 MiB.
const maxSize = 900_000

// levels are ways to tell less, tried one after the other until the report is small enough. A proxy that is left out of it
// counts as one that has accepted nothing.
var levels = []struct{ missing, rejected, message, proxies int }{
	{missing: 64, rejected: 16, message: 1024, proxies: 10_000},
	{missing: 4, rejected: 4, message: 256, proxies: 10_000},
	{missing: 0, rejected: 1, message: 64, proxies: 10_000},
	{missing: 0, rejected: 0, message: 0, proxies: 100},
	{missing: 0, rejected: 0, message: 0, proxies: 0},
}

// wire is a Fleet as it is written.
type wire struct {
	Cluster string  `json:"cluster"`
	Proxies []proxy `json:"proxies"`
}

type proxy struct {
	Node      string      `json:"node"`
	Connected bool        `json:"connected,omitempty"`
	Hash      string      `json:"hash"`
	Missing   []string    `json:"missing,omitempty"`
	More      bool        `json:"more,omitempty"`
	Rejected  [][2]string `json:"rejected,omitempty"`
}

// Data are the report as a ConfigMap holds it: an entry for each fleet, so that it is plain which ones a change concerns.
func (r Report) Data() (map[string]string, error) {
	for _, level := range levels {
		data, size := map[string]string{}, 0
		for key, fleet := range r {
			entry := wire{Cluster: fleet.Cluster}
			for _, from := range fleet.Proxies[:min(len(fleet.Proxies), level.proxies)] {
				entry.Proxies = append(entry.Proxies, shorten(from, level.missing, level.rejected, level.message))
			}
			if len(entry.Proxies) == 0 {
				continue
			}
			text, err := json.Marshal(entry)
			if err != nil {
				return nil, fmt.Errorf("encoding what the proxies of %s have accepted: %w", key, err)
			}
			data[dataKey(key)] = string(text)
			size += len(key) + len(text)
		}
		if size <= maxSize {
			return data, nil
		}
	}
	return nil, nil
}

func shorten(from xds.ProxyAcks, missing, rejected, message int) proxy {
	to := proxy{Node: from.Node, Connected: from.Connected, Hash: from.Hash, More: from.MissingMore}
	for _, name := range from.Missing[:min(len(from.Missing), missing)] {
		to.Missing = append(to.Missing, name.String())
	}
	to.More = to.More || len(from.Missing) > missing
	for _, rejection := range from.Rejected[:min(len(from.Rejected), rejected)] {
		text := strings.ToValidUTF8(rejection.Message[:min(len(rejection.Message), message)], "")
		to.Rejected = append(to.Rejected, [2]string{rejection.Resource, text})
	}
	return to
}

// Read reads what another replica has written. What it cannot read, it leaves out: a replica of another version may have
// written it.
func Read(data map[string]string) Report {
	report := Report{}
	for key, text := range data {
		var entry wire
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			continue
		}
		fleet := Fleet{Cluster: entry.Cluster}
		for _, from := range entry.Proxies {
			fleet.Proxies = append(fleet.Proxies, from.read())
		}
		report[strings.Replace(key, "_", "/", 1)] = fleet
	}
	return report
}

func (p proxy) read() xds.ProxyAcks {
	acks := xds.ProxyAcks{Node: p.Node, Connected: p.Connected, Hash: p.Hash, MissingMore: p.More}
	for _, text := range p.Missing {
		of, name, _ := strings.Cut(text, " ")
		acks.Missing = append(acks.Missing, translate.ResourceName{Type: translate.Type(of), Name: name})
	}
	for _, rejected := range p.Rejected {
		acks.Rejected = append(acks.Rejected, xds.Rejection{Resource: rejected[0], Message: rejected[1]})
	}
	return acks
}

// dataKey is a fleet's key as a ConfigMap can have it. Neither part of it can hold a '_' of its own.
func dataKey(key string) string { return strings.Replace(key, "/", "_", 1) }

// Changed are the namespaces and names of the clusters that differ in two versions of a report.
func Changed(before, after map[string]string) map[[2]string]bool {
	clusters := map[[2]string]bool{}
	for _, key := range slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after))) {
		if before[key] == after[key] {
			continue
		}
		namespace, _, _ := strings.Cut(key, "_")
		for _, text := range []string{before[key], after[key]} {
			var entry struct{ Cluster string }
			if err := json.Unmarshal([]byte(text), &entry); err == nil && entry.Cluster != "" {
				clusters[[2]string{namespace, entry.Cluster}] = true
			}
		}
	}
	return clusters
}
