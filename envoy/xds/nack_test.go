package xds

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"koperator.dev/koperator/envoy/translate"
)

func named(name string) translate.ResourceName {
	return translate.ResourceName{Type: translate.TypeListener, Name: name}
}

// The texts are Envoy 1.40's.
func TestParseRejection(t *testing.T) {
	const a, b = "kafka/orders/public/broker-1", "kafka/orders/public/broker-2.orders.example.com"
	sent := response{named(a): "1", named(b): "2"}
	for _, test := range []struct {
		name, text string
		want       map[string]string
		complete   bool
	}{
		{"one listener", "Error adding/updating listener(s) " + a + ": cannot bind '127.0.0.1:33567': Address already in use\n",
			map[string]string{a: "cannot bind '127.0.0.1:33567': Address already in use"}, true},
		{"two listeners", "Error adding/updating listener(s) " + b + ": error adding listener: '" + b + "' has duplicate address '[::]:9101' as existing listener, to check\n" +
			a + ": cannot bind '[::]:80': Permission denied\n",
			map[string]string{
				b: "error adding listener: '" + b + "' has duplicate address '[::]:9101' as existing listener, to check",
				a: "cannot bind '[::]:80': Permission denied",
			}, true},
		{"two clusters", "Error adding/updating cluster(s) " + a + ": cannot create an EDS cluster without an EDS config, " + b + ": x, y: z",
			map[string]string{a: "cannot create an EDS cluster without an EDS config", b: "x, y: z"}, true},
		{"a name that was not sent", "Error adding/updating cluster(s) other: x, y", map[string]string{}, false},
		{"no name", "malformed IP address: kafka-0.svc. Consider setting resolver_name or setting cluster type to 'STRICT_DNS'", map[string]string{}, false},
		{"a name in the middle of a text", "something of " + a + ": is wrong", map[string]string{}, false},
		{"cut off", "Error adding/updating listener(s) " + a + ": cannot bind '127.0.0.1:1': Add...(truncated)",
			map[string]string{a: "cannot bind '127.0.0.1:1': Add...(truncated)"}, false},
		{"nothing", "", map[string]string{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, complete := parseRejection(test.text, sent)
			if !maps.Equal(got, test.want) || complete != test.complete {
				t.Errorf("got %q, complete %t; want %q, %t", got, complete, test.want, test.complete)
			}
		})
	}
}

func TestTextsOfProxiesAreBounded(t *testing.T) {
	for text, want := range map[string]string{
		"as it is":                     "as it is",
		"line\nline\x00\x1b[31m\u0085": "line line [31m",
		"not UTF-8: \xff":              "not UTF-8: \uFFFD",
		"Invalid duration: goo.gle/debugstr   \n seconds: 1\nnanos: -1\n": "Invalid duration: seconds: 1 nanos: -1",
		strings.Repeat("x", 2000) + ": what is wrong":                     strings.Repeat("x", 256) + omission + strings.Repeat("x", 748) + ": what is wrong",
		strings.Repeat("\u20ac", 1000):                                    strings.Repeat("\u20ac", 85) + omission + strings.Repeat("\u20ac", 254),
	} {
		if got := bounded(text); got != want || len(got) > maxMessage || !utf8.ValidString(got) {
			t.Errorf("%.40q: got %q (%d bytes), want %q (%d)", text, got, len(got), want, len(want))
		}
	}
}

func FuzzParseRejection(f *testing.F) {
	f.Add("Error adding/updating listener(s) a: x\nb: y\n")
	f.Add("a: , b: ")
	f.Fuzz(func(t *testing.T, text string) {
		messages, _ := parseRejection(text, response{named("a"): "1", named("b"): "2"})
		for name, message := range messages {
			if name != "a" && name != "b" || len(message) > maxMessage || !utf8.ValidString(message) {
				t.Errorf("%q: %q", name, message)
			}
		}
	})
}
