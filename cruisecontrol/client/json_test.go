package client

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

func TestWithoutNaN(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`:                              `{"a":1}`,
		`{"a":NaN,"b":[-Infinity,Infinity,1]}`: `{"a":null,"b":[null,null,1]}`,
		`{"NaN":"Infinity \" NaN","b":NaN}`:    `{"NaN":"Infinity \" NaN","b":null}`,
		`{"a":"cut NaN \`:                      `{"a":"cut NaN \`,
		`{"a":"\\","b":NaN}`:                   `{"a":"\\","b":null}`,
		`NaN`:                                  `null`,
		``:                                     ``,
	} {
		if got := string(withoutNaN([]byte(in))); got != want {
			t.Errorf("%s became %s, not %s", in, got, want)
		}
	}
}

func TestFloat(t *testing.T) {
	var got struct{ A, B, C, D Float }
	if err := json.Unmarshal([]byte(`{"A":1.5,"B":null,"C":"DEAD"}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.A != 1.5 || !math.IsNaN(float64(got.B)) || !math.IsNaN(float64(got.C)) || got.D != 0 {
		t.Errorf("got %v", got)
	}
	if b, err := json.Marshal(got); err != nil || string(b) != `{"A":1.5,"B":null,"C":null,"D":0}` {
		t.Errorf("got %s, %v", b, err)
	}
}

func TestDeadDisk(t *testing.T) {
	const body = `{"brokers":[{"Broker":3,"BrokerState":"BAD_DISKS","DiskMB":512.5,"DiskState":{
		"/a":{"DiskMB":"DEAD","DiskPct":"DEAD","NumLeaderReplicas":0,"NumReplicas":7},
		"/b":{"DiskMB":1.5,"DiskPct":2.5,"NumLeaderReplicas":1,"NumReplicas":2},
		"/c":"DEAD"}}]}`
	var load Load
	if err := json.Unmarshal([]byte(body), &load); err != nil {
		t.Fatal(err)
	}
	b := load.Brokers[0]
	if b.Broker != 3 || b.BrokerState != BrokerBadDisks || b.DiskMB != 512.5 {
		t.Errorf("got %+v", b)
	}
	if d := b.DiskState["/a"]; !d.Dead || d.NumReplicas != 7 || !math.IsNaN(float64(d.DiskMB)) {
		t.Errorf("/a is %+v", d)
	}
	if d := b.DiskState["/b"]; !reflect.DeepEqual(d, DiskStats{DiskMB: 1.5, DiskPct: 2.5, NumLeaderReplicas: 1, NumReplicas: 2}) {
		t.Errorf("/b is %+v", d)
	}
	if d := b.DiskState["/c"]; !d.Dead {
		t.Errorf("/c is %+v", d)
	}
}

func TestRawString(t *testing.T) {
	for _, c := range []struct{ body, name, want string }{
		{`{"errorMessage":"a b","stackTrace":"cut`, "errorMessage", "a b"},
		{`{"stackTrace":"\"errorMessage\":\"no\"","errorMessage" : "yes"`, "errorMessage", "yes"},
		{`{"errorMessage":"cut`, "errorMessage", ""},
		{`{"errorMessage":7}`, "errorMessage", ""},
		{`"errorMessage`, "errorMessage", ""},
	} {
		if got, _ := rawString([]byte(c.body), c.name); got != c.want {
			t.Errorf("%s: got %q", c.body, got)
		}
	}
}
