package progress

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		step := (&Reporter{out: &out}).Start("building etcd", "2 minutes")
		time.Sleep(45 * time.Second)
		step.Detail("%d packages", 7)
		time.Sleep(40 * time.Second)
		step.End(nil)
		want := []string{
			"building etcd (usually 2 minutes)",
			"building etcd: 30s (usually 2 minutes)",
			"building etcd: 1m0s, 7 packages (usually 2 minutes)",
			"building etcd: done in 1m25s",
		}
		if got := strings.TrimSpace(out.String()); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	})
}

func TestTerminalLineIsReplaced(t *testing.T) {
	var out bytes.Buffer
	(&Reporter{out: &out, terminal: true, width: 30}).Start("building etcd", "2 minutes from scratch").End(errors.New("no"))
	want := "\r\033[Kbuilding etcd (usually 2 minu\r\033[Kbuilding etcd: failed in 0s\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
