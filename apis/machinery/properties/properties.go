// Package properties reads and writes the files of java.util.Properties, in which Kafka and Cruise Control are configured.
package properties

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Property is one property.
type Property struct {
	Key   string
	Value string
	// Origin says in words where it is from, such as spec.brokers[101].config.
	Origin string
}

// Values are the properties by key.
func Values(properties []Property) map[string]string {
	values := make(map[string]string, len(properties))
	for _, p := range properties {
		values[p.Key] = p.Value
	}
	return values
}

// Render writes properties in the format of java.util.Properties, sorted by key, each below a comment with its origin,
// and the header as a comment before all of them. Kafka reads its file as ISO 8859-1: everything else is escaped.
func Render(header string, properties []Property) string {
	sorted := slices.Clone(properties)
	slices.SortStableFunc(sorted, func(a, b Property) int { return strings.Compare(a.Key, b.Key) })
	var text strings.Builder
	writeComment(&text, header)
	for _, p := range sorted {
		if text.Len() > 0 {
			text.WriteByte('\n')
		}
		if p.Origin != "" {
			writeComment(&text, "from "+p.Origin)
		}
		text.WriteString(escapeKey(p.Key) + "=" + escapeValue(p.Value) + "\n")
	}
	return text.String()
}

func writeComment(text *strings.Builder, comment string) {
	if comment == "" {
		return
	}
	for line := range strings.Lines(strings.ReplaceAll(comment, "\r", "\n")) {
		text.WriteString("# " + escapeUnprintable(strings.TrimRight(line, "\n")) + "\n")
	}
}

func escapeKey(key string) string {
	var text strings.Builder
	for _, r := range key {
		if strings.ContainsRune(" :=#!", r) {
			text.WriteByte('\\')
		}
		escapeRune(&text, r)
	}
	return text.String()
}

// escapeValue escapes a leading space too, which belongs to the separator otherwise.
func escapeValue(value string) string {
	var text strings.Builder
	if strings.HasPrefix(value, " ") {
		text.WriteByte('\\')
	}
	for _, r := range value {
		escapeRune(&text, r)
	}
	return text.String()
}

func escapeRune(text *strings.Builder, r rune) {
	switch r {
	case '\\':
		text.WriteString(`\\`)
	case '\n':
		text.WriteString(`\n`)
	case '\r':
		text.WriteString(`\r`)
	case '\t':
		text.WriteString(`\t`)
	case '\f':
		text.WriteString(`\f`)
	default:
		writeRune(text, r)
	}
}

func escapeUnprintable(comment string) string {
	var text strings.Builder
	for _, r := range comment {
		writeRune(&text, r)
	}
	return text.String()
}

// writeRune writes what is not printable ASCII as UTF-16, in Java's notation.
func writeRune(text *strings.Builder, r rune) {
	if r >= ' ' && r <= '~' {
		text.WriteRune(r)
		return
	}
	for _, unit := range utf16.AppendRune(nil, r) {
		fmt.Fprintf(text, `\u%04x`, unit)
	}
}
