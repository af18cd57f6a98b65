package properties

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// blank separates a key from its value, and is ignored before a key.
const blank = " \t\f"

// Parse reads the format of java.util.Properties: comments, line continuations, escapes, and '=', ':' or a blank between
// key and value. Of a key that is there twice, the last value counts.
//
// It is our own because no library for Go reads what Render has to write: Kafka's file is ISO 8859-1, so that other
// characters are pairs of UTF-16 escapes.
func Parse(text string) (map[string]string, error) {
	properties := map[string]string{}
	for number, line := range logicalLines(text) {
		rawKey, rawValue := splitLine(line)
		key, err := unescape(rawKey)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		value, err := unescape(rawValue)
		if err != nil {
			return nil, fmt.Errorf("line %d: value of %s: %w", number, key, err)
		}
		properties[key] = value
	}
	return properties, nil
}

// logicalLines yields the lines that hold properties, continuations joined, by the number of their first line.
func logicalLines(text string) func(yield func(int, string) bool) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	return func(yield func(int, string) bool) {
		for i := 0; i < len(lines); i++ {
			first, line := i+1, strings.TrimLeft(lines[i], blank)
			// A lone backslash begins nothing: what comes after it is a line like any other.
			if line == "" || line == `\` || line[0] == '#' || line[0] == '!' {
				continue
			}
			for continues(line) {
				line = line[:len(line)-1]
				if i++; i == len(lines) {
					break
				}
				line += strings.TrimLeft(lines[i], blank)
			}
			if !yield(first, line) {
				return
			}
		}
	}
}

// continues tells whether a line ends in a backslash that is not escaped itself.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitLine splits at the first separator that is not escaped. Both parts are still escaped.
func splitLine(line string) (key, value string) {
	end := keyLength(line)
	value = strings.TrimLeft(line[end:], blank)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blank)
	}
	return line[:end], value
}

func keyLength(line string) int {
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\':
			i++
		case strings.IndexByte(blank+"=:", line[i]) >= 0:
			return i
		}
	}
	return len(line)
}

// unescape also reads what is written as UTF-8, which no Kafka would, so that a file by hand is not garbled.
func unescape(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var plain strings.Builder
	for len(text) > 0 {
		before, after, found := strings.Cut(text, `\`)
		plain.WriteString(before)
		if !found || after == "" {
			break
		}
		rest, err := unescapeOne(&plain, after)
		if err != nil {
			return "", err
		}
		text = rest
	}
	return plain.String(), nil
}

// unescapeOne reads one escape, without its backslash, and returns what comes after it.
func unescapeOne(plain *strings.Builder, text string) (string, error) {
	switch text[0] {
	case 'n':
		plain.WriteByte('\n')
	case 'r':
		plain.WriteByte('\r')
	case 't':
		plain.WriteByte('\t')
	case 'f':
		plain.WriteByte('\f')
	case 'u':
		return unescapeUnicode(plain, text)
	default:
		plain.WriteByte(text[0]) // the first byte of a character; the others follow by themselves
	}
	return text[1:], nil
}

// unescapeUnicode reads uXXXX, or two of them where the first one is half of a character.
func unescapeUnicode(plain *strings.Builder, text string) (string, error) {
	unit, err := hexUnit(text)
	if err != nil {
		return "", err
	}
	text = text[5:]
	if utf16.IsSurrogate(unit) && strings.HasPrefix(text, `\u`) {
		if second, err := hexUnit(text[1:]); err == nil {
			if r := utf16.DecodeRune(unit, second); r != '\uFFFD' {
				plain.WriteRune(r)
				return text[6:], nil
			}
		}
	}
	plain.WriteRune(unit)
	return text, nil
}

func hexUnit(text string) (rune, error) {
	if len(text) < 5 {
		return 0, fmt.Errorf(`\%s is not \u and four hexadecimal digits`, text)
	}
	unit, err := strconv.ParseUint(text[1:5], 16, 16)
	if err != nil {
		return 0, fmt.Errorf(`\%s is not \u and four hexadecimal digits`, text[:5])
	}
	return rune(unit), nil
}
