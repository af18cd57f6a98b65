package serverproperties

import (
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	have := map[string]string{
		"num.io.threads": "8", "same": "1", "log.retention.hours": "72", "sasl.jaas.config": "old", "my.api.token": "old",
		"listener.name.internal.plain.sasl.jaas.config": "old",
	}
	want := map[string]string{
		"num.io.threads": "16", "same": "1", "num.partitions": "3", "sasl.jaas.config": "new", "my.api.token": "new",
		"listener.name.internal.plain.sasl.jaas.config": "new",
	}
	var got []string
	for _, c := range Diff(have, want) {
		got = append(got, c.String())
	}
	expected := []string{
		"listener.name.internal.plain.sasl.jaas.config: changed",
		"log.retention.hours: 72 removed",
		"my.api.token: changed",
		"num.io.threads: 8 -> 16",
		"num.partitions: set to 3",
		"sasl.jaas.config: changed",
	}
	if !slices.Equal(got, expected) {
		t.Errorf("got %q, want %q", got, expected)
	}
}

func TestLongValuesAreShortened(t *testing.T) {
	dir := "/var/lib/kafka/" + strings.Repeat("a", 60) + "/kafka-logs"
	tests := map[Change]string{
		{Key: "log.dirs", Have: dir + "," + dir, Want: dir + "," + dir + ",/b"}: "log.dirs: ...," + dir + " -> ...," + dir + ",/b",
		{Key: "log.dirs", Have: dir, Want: dir + ",/b"}:                         "log.dirs: " + dir + " -> " + dir + ",/b",
		{Key: "a", Want: strings.Repeat("x", 200)}:                              "a: set to " + strings.Repeat("x", 120) + "...",
		{Key: "a", Have: "1\n2", Want: "1\t3"}:                                  "a: 1 2 -> 1 3",
	}
	for change, want := range tests {
		if got := change.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSensitive(t *testing.T) {
	for key, want := range map[string]bool{
		"delegation.token.secret.key":              true,
		"listener.name.x.plain.sasl.jaas.config":   true,
		"listener.name.x.ssl.keystore.password":    true,
		"delegation.token.max.lifetime.ms":         false,
		"num.io.threads":                           false,
		"rsm.config.s3.secret.access":              true,
		"transaction.state.log.replication.factor": false,
	} {
		if got := Sensitive(key); got != want {
			t.Errorf("Sensitive(%s) = %t", key, got)
		}
	}
}

func TestNeverRestarts(t *testing.T) {
	for key := range neverRestart {
		if !NeverRestarts(key) || Classify(key) != ReadOnly {
			t.Errorf("%s is %s", key, Classify(key))
		}
	}
	if NeverRestarts("num.io.threads") {
		t.Error("num.io.threads needs a restart")
	}
}
