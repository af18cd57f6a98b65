package client

import (
	"time"

	"k8s.io/utils/clock"
)

// timer is backoff's timer on a clock that tests can set.
type timer struct {
	clock clock.Clock
	timer clock.Timer
}

// Start begins the next pause.
func (t *timer) Start(d time.Duration) {
	if t.timer == nil {
		t.timer = t.clock.NewTimer(d)
		return
	}
	t.timer.Reset(d)
}

// Stop ends it.
func (t *timer) Stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// C is where its end is announced.
func (t *timer) C() <-chan time.Time { return t.timer.C() }
