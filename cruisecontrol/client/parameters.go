package client

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxURI keeps the whole head of a request below the 8 KiB beyond which Jetty answers 414.
const maxURI = 6 << 10

// parameters are those of one request, in the order in which they are to be shown in user_tasks. What has no value is not
// sent: Cruise Control refuses an empty list.
type parameters struct {
	list []parameter
	err  error // the first value that cannot be sent
}

type parameter struct {
	name, value string
	// long may go into the form, where there is more room.
	long bool
}

func (p *parameters) refuse(name, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...))
	}
}

func (p *parameters) add(name, value string, long bool) {
	p.checkASCII(name, value)
	if value != "" {
		p.list = append(p.list, parameter{name, value, long})
	}
}

// checkASCII refuses what Cruise Control would cut the JSON of every answer for that shows it.
func (p *parameters) checkASCII(name, value string) {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		p.refuse(name, "%q is not printable ASCII", value)
	}
}

// text adds a word, or nothing if it is empty.
func (p *parameters) text(name, value string) { p.add(name, value, false) }

func (p *parameters) bool(name string, value bool) { p.add(name, strconv.FormatBool(value), false) }

// positive adds a number, or nothing for zero, which leaves it to Cruise Control's configuration.
func (p *parameters) positive(name string, value int) {
	switch {
	case value < 0:
		p.refuse(name, "%d is negative", value)
	case value > 0:
		p.add(name, strconv.Itoa(value), false)
	}
}

// millis adds a duration, or nothing for zero.
func (p *parameters) millis(name string, value, minimum time.Duration) {
	switch {
	case value == 0:
	case value < minimum:
		p.refuse(name, "%s is shorter than %s", value, minimum)
	default:
		p.add(name, strconv.FormatInt(value.Milliseconds(), 10), false)
	}
}

func (p *parameters) time(name string, value time.Time) {
	if !value.IsZero() {
		p.add(name, strconv.FormatInt(value.UnixMilli(), 10), false)
	}
}

// pattern adds a regular expression, which Java will compile.
func (p *parameters) pattern(name, value string) { p.add(name, value, true) }

// words adds a list of names.
func words[T ~string](p *parameters, name string, values []T) {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
		p.element(name, list[i])
	}
	p.add(name, strings.Join(list, ","), true)
}

// element refuses what would not arrive as one element of a list: Cruise Control splits lists at commas, and decodes the
// percent signs and plus signs of their elements a second time.
func (p *parameters) element(name, value string) {
	if value == "" || strings.ContainsAny(value, ",%+") {
		p.refuse(name, "%q cannot be an element of a list", value)
	}
}

// brokers adds ids in their order.
func (p *parameters) brokers(name string, ids []int32) {
	list := make([]string, len(ids))
	for i, id := range ids {
		if id < 0 {
			p.refuse(name, "%d is no broker id", id)
		}
		list[i] = strconv.Itoa(int(id))
	}
	p.add(name, strings.Join(list, ","), true)
}

// logDirs adds log directories by broker, sorted, so that a request can be repeated to the letter.
func (p *parameters) logDirs(name string, dirs LogDirs) {
	var list []string
	for _, id := range slices.Sorted(maps.Keys(dirs)) {
		for _, dir := range dirs[id] {
			p.element(name, dir)
			if id < 0 || !strings.HasPrefix(dir, "/") {
				p.refuse(name, "%q of broker %d is no absolute path", dir, id)
			}
			list = append(list, strconv.Itoa(int(id))+"-"+dir)
		}
	}
	p.add(name, strings.Join(list, ","), true)
}

// need refuses a request without a parameter that it must have.
func (p *parameters) need(names ...string) {
	for _, param := range p.list {
		if slices.Contains(names, param.name) {
			return
		}
	}
	p.refuse(strings.Join(names, " or "), "missing")
}

// encode gives the query of a request and, if that would be too long, the form that has the rest.
func (p *parameters) encode(path string) (query string, form url.Values) {
	query = p.query(func(parameter) bool { return true })
	if len(path)+len(query) <= maxURI {
		return query, nil
	}
	form = url.Values{}
	for _, param := range p.list {
		if param.long {
			form.Set(param.name, param.value)
		}
	}
	return p.query(func(param parameter) bool { return !param.long }), form
}

func (p *parameters) query(which func(parameter) bool) string {
	var b strings.Builder
	for _, param := range p.list {
		if !which(param) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(param.name + "=" + url.QueryEscape(param.value))
	}
	return b.String()
}
