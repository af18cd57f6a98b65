package properties

import (
	"maps"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	properties := []Property{
		{Key: "num.io.threads", Value: "16", Origin: "spec.brokers[101].config"},
		{Key: "broker.description", Value: `a \ b` + "\n c", Origin: "spec.config"},
		{Key: "a key", Value: "  leading", Origin: "spec.config"},
		{Key: "emoji", Value: "\U0001F600 ü", Origin: "spec.brokerGroups[default].config"},
		{Key: "empty", Value: ""},
	}
	want := `# Node 101.
# Written by a program.

# from spec.config
a\ key=\  leading

# from spec.config
broker.description=a \\ b\n c

# from spec.brokerGroups[default].config
emoji=\ud83d\ude00 \u00fc

empty=

# from spec.brokers[101].config
num.io.threads=16
`
	if got := Render("Node 101.\nWritten by a program.", properties); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestRenderKeepsCommentsComments(t *testing.T) {
	text := Render("header\nnode.id=1\rnode.id=2", []Property{{Key: "a", Value: "b", Origin: "x\ny=z"}})
	got, err := Parse(text)
	if err != nil || !maps.Equal(got, map[string]string{"a": "b"}) {
		t.Errorf("got %v, %v from:\n%s", got, err, text)
	}
}

// The expected values are those of java.util.Properties.
func TestParse(t *testing.T) {
	tests := map[string]map[string]string{
		"":                              {},
		"a=b":                           {"a": "b"},
		"a=b\r\nc=d\re=f\n":             {"a": "b", "c": "d", "e": "f"},
		"  a \t: b c ":                  {"a": "b c "},
		"a b=c":                         {"a": "b=c"},
		"a":                             {"a": ""},
		"a=":                            {"a": ""},
		"=b":                            {"": "b"},
		"a==b":                          {"a": "=b"},
		"# a=b\n ! c=d\n\n \t\ne=f # g": {"e": "f # g"},
		"a=b\\\n   c\\\r\n  d":          {"a": "bcd"},
		"a=b\\\\\nc=d":                  {"a": `b\`, "c": "d"},
		"a=b\\\n# c":                    {"a": "b# c"},
		"a=b\\":                         {"a": "b"},
		"\\\n# a\n \\\r\nb=c":           {"b": "c"},
		`a\=\:\ b=c\q`:                  {"a=: b": "cq"},
		`a=\t\n\r\f\\`:                  {"a": "\t\n\r\f\\"},
		`a=\u00fc\ud83d\ude00`:          {"a": "ü\U0001F600"},
		`a=\ud83d\u0041`:                {"a": "\uFFFDA"},
		`a=\\u00fc`:                     {"a": `\u00fc`},
		`a=\ü`:                          {"a": "ü"},
		"a=1\na=2":                      {"a": "2"},
	}
	for text, want := range tests {
		got, err := Parse(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{`a=\u12`, `a=\u12g4`, `a=\u+123`, `\u=b`} {
		if got, err := Parse("# comment\n" + text); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("Parse(%q) = %q, %v", text, got, err)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("num.io.threads", "8", "ssl.keystore.location", "/etc/kafka/tls/keystore.pem")
	f.Add(" a\\ #", " \\\n\r\t\f= :", "!\U0001F600", "\u2028 \\u0041\\")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		want := map[string]string{
			strings.ToValidUTF8(key1, "?"): strings.ToValidUTF8(value1, "?"),
			strings.ToValidUTF8(key2, "?"): strings.ToValidUTF8(value2, "?"),
		}
		var properties []Property
		for key, value := range want {
			properties = append(properties, Property{Key: key, Value: value, Origin: value})
		}
		text := Render(key1, properties)
		got, err := Parse(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("got %q, %v, want %q from:\n%s", got, err, want, text)
		}
		if again := Render(key1, properties); again != text {
			t.Errorf("rendered differently:\n%s\n%s", text, again)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("a=b\\\n  c\n# d\ne:f")
	f.Add(`a=\u00`)
	f.Add("\\")
	f.Fuzz(func(t *testing.T, text string) {
		properties, err := Parse(text)
		if (err == nil) != (properties != nil) {
			t.Errorf("Parse(%q) = %v, %v", text, properties, err)
		}
	})
}
