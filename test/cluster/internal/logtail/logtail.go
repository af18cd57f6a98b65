// Package logtail reads the ends of log files.
package logtail

import (
	"io"
	"os"
	"strings"
)

const (
	lines = 15
	// bytesRead is more than that many lines usually have.
	bytesRead = 16 << 10
)

// Last returns the last lines of a file, or why there are none.
func Last(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := f.Seek(-bytesRead, io.SeekEnd); err != nil {
		// The file is shorter than that.
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err.Error()
		}
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(content))
}

func lastLines(text string) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
