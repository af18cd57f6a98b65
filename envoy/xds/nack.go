package xds

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxMessage bounds what a proxy can make us keep and show, in bytes.
	maxMessage = 1024
	// truncated is at the end of a text that was too long for Envoy to send.
	truncated = "...(truncated)"
	// omission is in place of what we leave out.
	omission = " ... "
)

// rejectedName is where Envoy's text may name a resource: at its beginning, after its introduction or another
// resource's message.
//
//	Error adding/updating listener(s) NAME: MESSAGE\nNAME: MESSAGE\n
//	Error adding/updating cluster(s) NAME: MESSAGE, NAME: MESSAGE
var rejectedName = regexp.MustCompile(`(?:^|\n|, |\(s\) )([^\s,]+): `)

// parseRejection finds out which resources a text of Envoy's is about, and what it says of each. It believes only names
// that were sent. complete means that all rejected ones are named, and the others were applied.
func parseRejection(text string, sent response) (messages map[string]string, complete bool) {
	names := make(map[string]bool, len(sent))
	for name := range sent {
		names[name.Name] = true
	}
	messages = map[string]string{}
	name, begin := "", 0
	end := func(at int) {
		if name != "" {
			messages[name] = bounded(strings.Trim(text[begin:at], ", \n"))
		}
	}
	for _, match := range rejectedName.FindAllStringSubmatchIndex(text, -1) {
		if found := text[match[2]:match[3]]; names[found] {
			end(match[0])
			name, begin = found, match[1]
		}
	}
	end(len(text))
	return messages, len(messages) > 0 && !strings.HasSuffix(text, truncated)
}

// bounded makes a text of a proxy's fit to be kept, logged and shown. Envoy puts whole messages into its texts, and says
// what is wrong with them at the end; it changes the space in them from time to time so that nobody compares them.
func bounded(text string) string {
	words := strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	words = slices.DeleteFunc(words, func(word string) bool { return strings.HasPrefix(word, "goo.gle/debug") })
	text = strings.Join(words, " ")
	if len(text) <= maxMessage {
		return text
	}
	begin, end := maxMessage/4, len(text)-(maxMessage-maxMessage/4-len(omission))
	for !utf8.RuneStart(text[begin]) {
		begin--
	}
	for !utf8.RuneStart(text[end]) {
		end++
	}
	return text[:begin] + omission + text[end:]
}
