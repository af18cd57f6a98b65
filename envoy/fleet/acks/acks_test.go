package acks

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
	"koperator.dev/koperator/envoy/translate"
	"koperator.dev/koperator/envoy/xds"
)

// resources are those of two brokers on a listener with a port for each.
func resources(t *testing.T) *translate.Resources {
	t.Helper()
	made, err := translate.Translate(ir.Fleet{
		Namespace: "kafka", Cluster: "orders", Revision: translate.LatestRevision,
		Listeners: []ir.Listener{
			{
				Name: "ports", Mode: v1beta1.ExternalPortPerBroker, Port: 9095, Keepalive: keepalive,
				Brokers: []ir.Broker{{ID: 1, Port: 9201}, {ID: 2, Port: 9202}},
			},
			{
				Name: "public", Mode: v1beta1.ExternalSNI, Port: 9094, Domain: "orders.example.com", BootstrapHost: "bootstrap.orders.example.com",
				Keepalive: keepalive, Brokers: []ir.Broker{{ID: 1, Host: "broker-1.orders.example.com"}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var keepalive = ir.Keepalive{Time: 60, Interval: 15, Probes: 4, UserTimeout: 30}

func accepted(r *translate.Resources, node string, missing ...translate.ResourceName) xds.ProxyAcks {
	return xds.ProxyAcks{Node: node, Connected: true, Hash: r.Hash(), Missing: missing}
}

// counts are what a tally says of the two listeners and of the brokers.
func counts(t *Tally) string {
	return fmt.Sprintf("public %d, 1 %d; ports %d, 1 %d, 2 %d, 3 %d", t.Listener("public"), t.Broker("public", 1),
		t.Listener("ports"), t.Broker("ports", 1), t.Broker("ports", 2), t.Broker("ports", 3))
}

func TestCount(t *testing.T) {
	r := resources(t)
	ready := []string{"a", "b"}
	ofBroker2 := r.OfBroker("ports", 2)[0]
	lags := xds.ProxyAcks{Node: "b", Connected: true, Hash: "another"}
	gone := accepted(r, "b")
	gone.Connected = false
	flooded := accepted(r, "b", ofBroker2)
	flooded.MissingMore = true
	for name, c := range map[string]struct {
		reports [][]xds.ProxyAcks
		want    string
	}{
		"nobody":                               {nil, "public 0, 1 0; ports 0, 1 0, 2 0, 3 0"},
		"all, by one replica":                  {[][]xds.ProxyAcks{{accepted(r, "a"), accepted(r, "b")}}, "public 2, 1 2; ports 2, 1 2, 2 2, 3 0"},
		"all, by two replicas":                 {[][]xds.ProxyAcks{{accepted(r, "a")}, {accepted(r, "b")}}, "public 2, 1 2; ports 2, 1 2, 2 2, 3 0"},
		"one that misses a broker":             {[][]xds.ProxyAcks{{accepted(r, "a"), accepted(r, "b", ofBroker2)}}, "public 2, 1 2; ports 1, 1 2, 2 1, 3 0"},
		"one that misses more than is known":   {[][]xds.ProxyAcks{{accepted(r, "a"), flooded}}, "public 1, 1 1; ports 1, 1 1, 2 1, 3 0"},
		"one that is not ready":                {[][]xds.ProxyAcks{{accepted(r, "a"), accepted(r, "c")}}, "public 1, 1 1; ports 1, 1 1, 2 1, 3 0"},
		"one of a replica that lags":           {[][]xds.ProxyAcks{{accepted(r, "a")}, {lags}}, "public 1, 1 1; ports 1, 1 1, 2 1, 3 0"},
		"one whose stream has ended":           {[][]xds.ProxyAcks{{accepted(r, "a"), gone}}, "public 2, 1 2; ports 2, 1 2, 2 2, 3 0"},
		"one that went to a replica that lags": {[][]xds.ProxyAcks{{accepted(r, "a"), gone}, {lags}}, "public 1, 1 1; ports 1, 1 1, 2 1, 3 0"},
		"one that came back":                   {[][]xds.ProxyAcks{{gone}, {accepted(r, "a"), accepted(r, "b", ofBroker2)}}, "public 2, 1 2; ports 1, 1 2, 2 1, 3 0"},
		"one that is in two reports":           {[][]xds.ProxyAcks{{accepted(r, "a"), lags}, {accepted(r, "b")}}, "public 2, 1 2; ports 2, 1 2, 2 2, 3 0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := counts(Count(r, ready, c.reports...)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRejections(t *testing.T) {
	r := resources(t)
	listener := r.OfBroker("ports", 2)[0]
	a, b := accepted(r, "a", listener), accepted(r, "b", listener)
	a.Rejected = []xds.Rejection{{Resource: listener.String(), Message: "in use"}, {Resource: "Listener (unnamed)", Message: "no"}}
	b.Rejected = []xds.Rejection{{Resource: listener.String(), Message: "in use "}}
	tally := Count(r, []string{"a", "b"}, []xds.ProxyAcks{a, b})
	want := []v1beta1.RejectedResource{
		{Resource: listener.String(), Message: "in use ", Proxies: 2},
		{Resource: "Listener (unnamed)", Message: "no", Proxies: 1},
	}
	if got := tally.Rejected("ports"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := tally.Rejected("public"); !reflect.DeepEqual(got, want[1:]) {
		t.Errorf("of the other listener: %+v", got)
	}
	merged := Merge(tally.Rejected("ports"), tally.Rejected("public"))
	if len(merged) != 2 || merged[0].Proxies != 2 || merged[1].Proxies != 2 {
		t.Errorf("%+v", merged)
	}
}

// Whatever proxies say, it fits into status.
func TestRejectionsFitIntoStatus(t *testing.T) {
	r := resources(t)
	acks := accepted(r, "a")
	for i := range 50 {
		acks.Rejected = append(acks.Rejected, xds.Rejection{Resource: fmt.Sprint("Listener ", i, strings.Repeat("x", 600)), Message: strings.Repeat("é", 1000) + "\xff"})
	}
	rejected := Count(r, []string{"a"}, []xds.ProxyAcks{acks}).Rejected("ports")
	if len(rejected) != 16 {
		t.Errorf("%d entries", len(rejected))
	}
	for _, entry := range rejected {
		if len(entry.Resource) > 512 || len(entry.Message) > 1024 || strings.ToValidUTF8(entry.Message, "") != entry.Message {
			t.Errorf("%d and %d bytes", len(entry.Resource), len(entry.Message))
		}
	}
}

func TestReportIsReadAsItWasWritten(t *testing.T) {
	r := resources(t)
	acks := accepted(r, "a", r.Names()...)
	acks.MissingMore = true
	acks.Rejected = []xds.Rejection{{Resource: "Cluster (unnamed)", Message: "no"}}
	report := Report{
		"kafka/orders-envoy":   {Cluster: "orders", Proxies: []xds.ProxyAcks{acks, accepted(r, "b")}},
		"kafka/orders-envoy-a": {Cluster: "orders", Proxies: []xds.ProxyAcks{{Node: "c", Hash: "x"}}},
	}
	data, err := report.Data()
	if err != nil {
		t.Fatal(err)
	}
	if got := Read(data); !reflect.DeepEqual(got, report) {
		t.Errorf("got %+v\nwant %+v", got, report)
	}
	data["kafka_other"] = "{"
	if got := Read(data); !reflect.DeepEqual(got, report) {
		t.Errorf("with an entry that cannot be read: %+v", got)
	}
}

// A report fits into a ConfigMap. Where it would not, it says less, and never that something was accepted that was not.
func TestReportFits(t *testing.T) {
	r := resources(t)
	missing := make([]translate.ResourceName, 64)
	for i := range missing {
		missing[i] = translate.ResourceName{Type: translate.TypeCluster, Name: fmt.Sprint(strings.Repeat("x", 150), i)}
	}
	for _, proxies := range []int{1, 100, 1000, 5000, 12_000} {
		report := Report{}
		for i := range proxies {
			acks := accepted(r, fmt.Sprint("orders-envoy-5d4f8c7b9-", i), missing...)
			acks.Rejected = []xds.Rejection{{Resource: "Listener x", Message: strings.Repeat("é", 512)}}
			key := fmt.Sprint("kafka/orders-", i/100)
			report[key] = Fleet{Cluster: "orders", Proxies: append(report[key].Proxies, acks)}
		}
		data, err := report.Data()
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for key, text := range data {
			size += len(key) + len(text)
		}
		if size > 1_000_000 {
			t.Errorf("%d proxies make %d bytes", proxies, size)
		}
		for key, fleet := range Read(data) {
			for _, acks := range fleet.Proxies {
				if len(acks.Missing) < len(missing) && !acks.MissingMore {
					t.Fatalf("%d proxies: %s of %s misses more than is said", proxies, acks.Node, key)
				}
			}
		}
		t.Logf("%d proxies that miss everything: %d bytes", proxies, size)
	}
}

func TestChanged(t *testing.T) {
	before := map[string]string{"kafka_orders-envoy": `{"cluster":"orders"}`, "kafka_a-envoy": `{"cluster":"a"}`, "other_b-envoy": `{"cluster":"b"}`}
	after := maps.Clone(before)
	after["kafka_a-envoy"] = `{"cluster":"a","proxies":[]}`
	delete(after, "other_b-envoy")
	after["new_c-envoy-x"] = `{"cluster":"c"}`
	after["new_d"] = `{`
	var got []string
	for cluster := range Changed(before, after) {
		got = append(got, strings.Join(cluster[:], "/"))
	}
	slices.Sort(got)
	if want := []string{"kafka/a", "new/c", "other/b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(Changed(after, after)) > 0 {
		t.Error("what is the same has changed")
	}
}
