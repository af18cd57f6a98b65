package serverproperties

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is a property that differs between two configurations. A property that one of them does not have is empty there.
type Change struct {
	Key  string
	Have string
	Want string
}

// String is the change in words, without values that may be secret. Of two long lists it shows what they do not begin with
// alike.
func (c Change) String() string {
	have, want := c.Have, c.Want
	if len(have) > longestValue && len(want) > longestValue {
		have, want = withoutCommonElements(have, want)
	}
	have, want = shorten(have), shorten(want)
	switch {
	case Sensitive(c.Key):
		return c.Key + ": changed"
	case c.Have == "":
		return fmt.Sprintf("%s: set to %s", c.Key, want)
	case c.Want == "":
		return fmt.Sprintf("%s: %s removed", c.Key, have)
	}
	return fmt.Sprintf("%s: %s -> %s", c.Key, have, want)
}

// longestValue is how much of a value is shown.
const longestValue = 120

const omitted = "..."

func withoutCommonElements(have, want string) (string, string) {
	common := 0
	for i := 0; i < len(have) && i < len(want) && have[i] == want[i]; i++ {
		if have[i] == ',' {
			common = i
		}
	}
	if common == 0 {
		return have, want
	}
	return omitted + have[common:], omitted + want[common:]
}

func shorten(value string) string {
	text := []rune(strings.Join(strings.Fields(value), " "))
	if len(text) <= longestValue {
		return string(text)
	}
	return string(text[:longestValue]) + omitted
}

// Diff is what must change in have to make it want, sorted by key.
func Diff(have, want map[string]string) []Change {
	keys := slices.Sorted(maps.Keys(have))
	for key := range want {
		if _, ok := have[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var changes []Change
	for _, key := range keys {
		before, had := have[key]
		after, wanted := want[key]
		if before != after || had != wanted {
			changes = append(changes, Change{Key: key, Have: before, Want: after})
		}
	}
	return changes
}

// neverRestart are the properties of server.properties that a running process has no use for, with the reason.
var neverRestart = map[string]string{
	"controller.quorum.bootstrap.servers": "it is read at the start to find any voter; a running process knows the voters from the log (KIP-853)",
}

// NeverRestarts tells whether a change of this property alone needs no restart.
func NeverRestarts(key string) bool { return neverRestart[key] != "" }

// Sensitive tells whether the value of a property may be secret: those that Kafka itself hides, and of the names that it
// does not know those that sound like it.
func Sensitive(key string) bool {
	base, _ := withoutListener(key)
	if d, ok := lookup(base); ok {
		return d.kind == password
	}
	for _, word := range []string{"password", "secret", "token", "jaas", "credential", "key"} {
		if strings.Contains(strings.ToLower(base), word) {
			return true
		}
	}
	return false
}
