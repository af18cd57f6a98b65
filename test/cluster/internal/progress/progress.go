// Package progress shows what a long command is doing: on a terminal in a line that changes, else in plain lines.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	terminalInterval = time.Second
	plainInterval    = 30 * time.Second
	usualWidth       = 80
)

// Reporter shows one step after the other.
type Reporter struct {
	out      io.Writer
	terminal bool
	// width is the terminal's: a line that takes up two could not be replaced.
	width int
}

// New writes to a file, which may be a terminal.
func New(out *os.File) *Reporter {
	r := &Reporter{out: out, terminal: term.IsTerminal(int(out.Fd())), width: usualWidth}
	if width, _, err := term.GetSize(int(out.Fd())); err == nil && width > 0 {
		r.width = width
	}
	return r
}

// Say prints a line.
func (r *Reporter) Say(format string, args ...any) {
	fmt.Fprintf(r.out, format+"\n", args...)
}

// Step is something that takes a while.
type Step struct {
	reporter *Reporter
	what     string
	usual    string
	started  time.Time

	stop chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	detail string
}

// Start begins a step. How long it usually takes is text, since that may depend on something.
func (r *Reporter) Start(what, usual string) *Step {
	s := &Step{reporter: r, what: what, usual: usual, started: time.Now(), stop: make(chan struct{})}
	interval := plainInterval
	if r.terminal {
		interval = terminalInterval
	}
	s.show()
	s.done.Go(func() { s.refresh(interval) })
	return s
}

// Detail changes what is shown beside the step.
func (s *Step) Detail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detail = fmt.Sprintf(format, args...)
}

// End ends the step, with or without an error. The error itself is the caller's to print.
func (s *Step) End(err error) {
	close(s.stop)
	s.done.Wait()
	word := "done"
	if err != nil {
		word = "failed"
	}
	s.line(fmt.Sprintf("%s: %s in %s", s.what, word, round(time.Since(s.started))))
	if s.reporter.terminal {
		fmt.Fprintln(s.reporter.out)
	}
}

func (s *Step) refresh(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.show()
		}
	}
}

func (s *Step) show() {
	s.mu.Lock()
	detail := s.detail
	s.mu.Unlock()
	s.line(describe(s.what, detail, s.usual, time.Since(s.started)))
}

func (s *Step) line(text string) {
	if s.reporter.terminal {
		// Back to the line's beginning, and clear what was there.
		fmt.Fprintf(s.reporter.out, "\r\033[K%s", text[:min(len(text), s.reporter.width-1)])
		return
	}
	fmt.Fprintln(s.reporter.out, text)
}

func describe(what, detail, usual string, elapsed time.Duration) string {
	text := what
	if elapsed >= time.Second {
		text += ": " + round(elapsed)
	}
	if detail != "" {
		text += ", " + detail
	}
	if usual != "" {
		text += " (usually " + usual + ")"
	}
	return text
}

func round(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
