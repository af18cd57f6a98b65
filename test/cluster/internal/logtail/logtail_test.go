package logtail

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLast(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	var all []string
	for i := range 10_000 {
		all = append(all, fmt.Sprintf("line %d", i))
	}
	for _, count := range []int{1, lines, lines + 1, len(all)} {
		if err := os.WriteFile(file, []byte(strings.Join(all[:count], "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		want := strings.Join(all[max(0, count-lines):count], "\n")
		if got := Last(file); got != want {
			t.Errorf("%d lines: got %q, want %q", count, got, want)
		}
	}
	if got := Last(file + ".none"); !strings.Contains(got, "no such file") {
		t.Errorf("got %q", got)
	}
}
