package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// Float is a number that Cruise Control may not know: it is NaN then.
type Float float64

// UnmarshalJSON reads what is no number as NaN: null, and the "DEAD" of a dead disk.
func (f *Float) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && (b[0] == 'n' || b[0] == '"') {
		*f = Float(math.NaN())
		return nil
	}
	var number float64
	if err := json.Unmarshal(b, &number); err != nil {
		return err
	}
	*f = Float(number)
	return nil
}

// MarshalJSON is the inverse: JSON has no NaN.
func (f Float) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// nonNumbers are what Java writes for numbers that JSON does not have. The signed ones come first.
var nonNumbers = [][]byte{[]byte("-Infinity"), []byte("+Infinity"), []byte("Infinity"), []byte("NaN")}

// withoutNaN replaces numbers that JSON does not have by null, and leaves strings alone.
func withoutNaN(body []byte) []byte {
	if !bytes.Contains(body, []byte("NaN")) && !bytes.Contains(body, []byte("Infinity")) {
		return body
	}
	var out bytes.Buffer
	out.Grow(len(body))
	for len(body) > 0 {
		n := 1
		if body[0] == '"' {
			n = stringLength(body)
		} else if skip := nonNumberLength(body); skip > 0 {
			out.WriteString("null")
			body = body[skip:]
			continue
		}
		out.Write(body[:n])
		body = body[n:]
	}
	return out.Bytes()
}

// stringLength is the length of the JSON string at the beginning, quotes included; all of it if it has no end.
func stringLength(body []byte) int {
	for i := 1; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(body)
}

func nonNumberLength(body []byte) int {
	for _, word := range nonNumbers {
		if bytes.HasPrefix(body, word) {
			return len(word)
		}
	}
	return 0
}

// decode reads an answer's JSON.
func decode[T any](r request, a answer) (T, error) {
	var result T
	if err := json.Unmarshal(withoutNaN(a.body), &result); err != nil {
		return result, r.broken(BrokenAnswer, a, fmt.Sprintf("reading the answer: %v", err), err)
	}
	return result, nil
}

// rawString finds the value of a member in JSON that may have been cut: the string that follows the name.
func rawString(body []byte, name string) (string, bool) {
	key, _ := json.Marshal(name)
	for {
		i := bytes.Index(body, key)
		if i < 0 {
			return "", false
		}
		body = body[i+len(key):]
		rest, isName := bytes.CutPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte(":"))
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if !isName || len(rest) == 0 || rest[0] != '"' {
			continue
		}
		var value string
		if json.Unmarshal(rest[:stringLength(rest)], &value) == nil {
			return value, true
		}
	}
}
