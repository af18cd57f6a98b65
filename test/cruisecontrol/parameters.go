package cruisecontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parameter is one of a request.
type Parameter struct {
	Name, Value string
}

// parameters are those of a request, in the order in which they were sent.
type parameters []Parameter

// get finds a parameter, whatever the case of its name.
func (p parameters) get(name string) (string, bool) {
	for _, param := range p {
		if strings.EqualFold(param.Name, name) {
			return param.Value, true
		}
	}
	return "", false
}

func (p parameters) has(name string) bool {
	_, ok := p.get(name)
	return ok
}

// bool is what Java's parseBoolean makes of it.
func (p parameters) bool(name string, missing bool) bool {
	value, ok := p.get(name)
	if !ok {
		return missing
	}
	return strings.EqualFold(value, "true")
}

// same compares as maps: names with their case, values in any order.
func (p parameters) same(other parameters) bool {
	return p.key() == other.key()
}

// key is equal for the same parameters.
func (p parameters) key() string {
	var parts []string
	for _, param := range p {
		parts = append(parts, strconv.Quote(param.Name)+"="+strconv.Quote(param.Value))
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), "&")
}

// shown is how user_tasks shows them: decoded, without escapes.
func (p parameters) shown() string {
	var parts []string
	for _, param := range p {
		parts = append(parts, param.Name+"="+param.Value)
	}
	if len(parts) == 0 {
		return ""
	}
	return "?" + strings.Join(parts, "&")
}

// parser reads typed parameters, and keeps the first error, in Java's words.
type parser struct {
	parameters
	err error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// integer is a number, or nil.
func (p *parser) integer(name string) *int64 {
	value, ok := p.get(name)
	if !ok {
		return nil
	}
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		p.fail("For input string: %q", value)
		return nil
	}
	return &number
}

// concurrency is a number above zero, or zero if there is none.
func (p *parser) concurrency(name string) int {
	number := p.integer(name)
	if number == nil {
		return 0
	}
	if *number <= 0 {
		p.fail("The requested movement concurrency must be positive (Requested: %d).", *number)
	}
	return int(*number)
}

// list refuses empty elements, not on purpose: it tries to remove them from what cannot be changed.
func (p *parser) list(name string) []string {
	value, ok := p.get(name)
	if !ok {
		return nil
	}
	elements := splitJava(value)
	if slices.Contains(elements, "") {
		p.fail("remove")
	}
	return elements
}

// set drops empty elements.
func (p *parser) set(name string) []string {
	value, _ := p.get(name)
	return slices.DeleteFunc(splitJava(value), func(s string) bool { return s == "" })
}

// splitJava is String.split: it drops empty strings at the end, but not the only one.
func splitJava(value string) []string {
	elements := strings.Split(value, ",")
	for len(elements) > 1 && elements[len(elements)-1] == "" {
		elements = elements[:len(elements)-1]
	}
	return elements
}

// brokers are ids.
func (p *parser) brokers(name string) []int32 {
	value, ok := p.get(name)
	if !ok {
		return nil
	}
	var ids []int32
	for _, element := range splitJava(value) {
		id, err := strconv.ParseInt(element, 10, 32)
		if err != nil {
			p.fail("For input string: %q", element)
			return nil
		}
		ids = append(ids, int32(id))
	}
	return ids
}

// disks are log dirs by broker: 1-/a,2-/b.
func (p *parser) disks(name string) map[int32][]string {
	value, ok := p.get(name)
	if !ok {
		return nil
	}
	disks := map[int32][]string{}
	for _, element := range splitJava(value) {
		broker, dir, ok := strings.Cut(element, "-")
		if !ok {
			p.fail("begin 0, end -1, length %d", len(element))
			return nil
		}
		id, err := strconv.ParseInt(broker, 10, 32)
		if err != nil {
			p.fail("For input string: %q", broker)
			return nil
		}
		disks[int32(id)] = append(disks[int32(id)], dir)
	}
	return disks
}

// exclusive is true, and then the other one must not be there at all.
func (p *parser) exclusive(name string, others ...string) bool {
	if !p.bool(name, false) {
		return false
	}
	for _, other := range others {
		if p.has(other) {
			p.fail("Cannot set %s parameter to true when explicitly specifying %s in the request.", name, other)
		}
	}
	return true
}

// disjoint refuses lists that share an element.
func disjoint[T comparable](p *parser, message string, a, b []T) {
	var both []string
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, fmt.Sprint(x))
		}
	}
	if len(both) > 0 {
		p.fail("%s. Intersection: [%s].", message, strings.Join(both, ", "))
	}
}

// errText is an error that is only a text.
func errText(format string, args ...any) error { return fmt.Errorf(format, args...) }
