// Package javajson writes JSON as Cruise Control does: members in no order, characters escaped that HTML knows, numbers that
// JSON does not have.
package javajson

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Object is a JSON object.
type Object = map[string]any

// Marshal writes a value made of Objects, slices, strings, numbers, booleans and nil. Maps are written in an order that
// random gives.
func Marshal(value any, random *rand.Rand) string {
	w := writer{random: random}
	w.value(reflect.ValueOf(value))
	return w.String()
}

type writer struct {
	strings.Builder
	random *rand.Rand
}

func (w *writer) value(v reflect.Value) {
	if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Invalid:
		w.WriteString("null")
	case reflect.Map:
		w.object(v)
	case reflect.Slice:
		w.array(v)
	case reflect.String:
		w.text(v.String())
	case reflect.Bool:
		w.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Float64:
		w.WriteString(float(v.Float()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		w.WriteString(strconv.FormatInt(v.Int(), 10))
	default:
		panic(fmt.Sprintf("javajson: %s", v.Type()))
	}
}

func (w *writer) object(v reflect.Value) {
	byName := map[string]reflect.Value{}
	for _, key := range v.MapKeys() {
		byName[fmt.Sprint(key)] = v.MapIndex(key)
	}
	names := slices.Sorted(maps.Keys(byName))
	w.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	w.WriteByte('{')
	for i, name := range names {
		w.comma(i)
		w.text(name)
		w.WriteByte(':')
		w.value(byName[name])
	}
	w.WriteByte('}')
}

func (w *writer) array(v reflect.Value) {
	w.WriteByte('[')
	for i := range v.Len() {
		w.comma(i)
		w.value(v.Index(i))
	}
	w.WriteByte(']')
}

func (w *writer) comma(i int) {
	if i > 0 {
		w.WriteByte(',')
	}
}

func (w *writer) text(s string) {
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r == '\n':
			w.WriteString(`\n`)
		case r < ' ' || strings.ContainsRune("'=&<>", r):
			fmt.Fprintf(w, `\u%04x`, r)
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
}

// float writes a number as Java's Double.toString does, for those that are not very large or small.
func float(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
