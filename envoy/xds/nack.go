package xds

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxMessage bounds what a proxy can make us keep and show, in bytes.
	maxMessage = 1024
	// truncated is at the end of a text that was too long for Envoy to send.
	truncated = "...(truncated)"
)

// rejectedName is where Envoy's text may name a resource: at its beginning, after its introduction or another
// resource's message.
//
//	Error adding/updating listener(s) NAME: MESSAGE\nNAME: MESSAGE\n
//	Error adding/updating cluster(s) NAME: MESSAGE, NAME: MESSAGE
var rejectedName = regexp.MustCompile(`(?:^|\n|, |\(s\) )([^\s,]+): `)

// parseRejection finds out which resources a text of Envoy's is about, and what it says of each. It believes only names
// that were sent. complete means that all rejected ones are named, and the others were applied.
func parseRejection(text string, sent map[string]bool) (messages map[string]string, complete bool) {
	messages = map[string]string{}
	name, begin := "", 0
	end := func(at int) {
		if name != "" {
			messages[name] = bounded(strings.Trim(text[begin:at], ", \n"))
		}
	}
	for _, match := range rejectedName.FindAllStringSubmatchIndex(text, -1) {
		if found := text[match[2]:match[3]]; sent[found] {
			end(match[0])
			name, begin = found, match[1]
		}
	}
	end(len(text))
	return messages, len(messages) > 0 && !strings.HasSuffix(text, truncated)
}

// bounded makes a text of a proxy's fit to be kept, logged and shown.
func bounded(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
