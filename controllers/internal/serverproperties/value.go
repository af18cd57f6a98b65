package serverproperties

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// kind is the type of a property's value, as in Kafka's ConfigDef.
type kind int

const (
	boolean kind = iota
	short
	integer
	long
	double
	text
	list
	class
	password
)

// definition is what is known of a property.
type definition struct {
	kind  kind
	scope Scope
	// least and most are the bounds of a number, nil without one.
	least, most *float64
	// oneOf are the only values, of a list the only elements; nil when there is no such limit.
	oneOf []string
}

func lookup(key string) (definition, bool) {
	d, ok := known[key]
	return d, ok
}

// refuses says why Kafka would not take a value; empty when it would. Kafka itself ignores blanks around a value.
func (d definition) refuses(value string) string {
	value = strings.TrimSpace(value)
	switch d.kind {
	case boolean:
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			return fmt.Sprintf("%q is not true or false", value)
		}
	case short:
		return d.refusesInteger(value, 16)
	case integer:
		return d.refusesInteger(value, 32)
	case long:
		return d.refusesInteger(value, 64)
	case double:
		return d.refusesDouble(value)
	case text:
		return d.refusesElement(value)
	case list:
		return d.refusesList(value)
	case class, password:
	}
	return ""
}

func (d definition) refusesInteger(value string, bits int) string {
	number, err := strconv.ParseInt(value, 10, bits)
	if err != nil {
		return fmt.Sprintf("%q is not a whole number of %d bits", value, bits)
	}
	return d.refusesNumber(float64(number), value)
}

func (d definition) refusesDouble(value string) string {
	number, err := strconv.ParseFloat(strings.TrimRight(value, "fFdD"), 64) // Java takes 0.5f too
	if err != nil || math.IsNaN(number) {
		return fmt.Sprintf("%q is not a number", value)
	}
	return d.refusesNumber(number, value)
}

func (d definition) refusesNumber(number float64, value string) string {
	switch {
	case d.least != nil && number < *d.least:
		return fmt.Sprintf("%s is less than %v, the least that Kafka takes", value, *d.least)
	case d.most != nil && number > *d.most:
		return fmt.Sprintf("%s is more than %v, the most that Kafka takes", value, *d.most)
	}
	return ""
}

func (d definition) refusesList(value string) string {
	if value == "" {
		return ""
	}
	for element := range strings.SplitSeq(value, ",") {
		if message := d.refusesElement(strings.TrimSpace(element)); message != "" {
			return message
		}
	}
	return ""
}

func (d definition) refusesElement(value string) string {
	if d.oneOf == nil {
		return ""
	}
	for _, allowed := range d.oneOf {
		if value == allowed {
			return ""
		}
	}
	return fmt.Sprintf("%q is none of %s", value, strings.Join(d.oneOf, ", "))
}
