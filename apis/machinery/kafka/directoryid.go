package kafka

import (
	"encoding/base64"
	"fmt"
)

// directoryID is how Kafka prints and reads the UUID of a log directory.
func directoryID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// parseDirectoryID reads what directoryID and meta.properties say.
func parseDirectoryID(s string) ([16]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return [16]byte{}, fmt.Errorf("parsing directory id %q: %w", s, err)
	}
	if len(b) != 16 {
		return [16]byte{}, fmt.Errorf("parsing directory id %q: %d bytes instead of 16", s, len(b))
	}
	return [16]byte(b), nil
}
