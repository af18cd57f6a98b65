package session

import (
	"context"
	"time"
)

// poll asks Cruise Control as often as somebody wants to know something, and not at all otherwise, and rings after each answer.
func (s *Session) poll(ctx context.Context) {
	for {
		timer := s.sessions.opts.Clock.NewTimer(s.pause())
		select {
		case <-ctx.Done():
		case <-s.done:
		case <-s.changed:
			timer.Stop()
			continue
		case <-timer.C():
			if s.combined().Every > 0 && s.pause() == 0 {
				s.pollOnce(ctx)
			}
			continue
		}
		timer.Stop()
		return
	}
}

// never is a pause that something else ends.
const never = 24 * time.Hour

// pause is how long nobody has to be asked.
func (s *Session) pause() time.Duration {
	every := s.combined().Every
	if every == 0 {
		return never
	}
	return max(0, s.Last().At.Add(every).Sub(s.sessions.opts.Clock.Now()))
}

func (s *Session) pollOnce(ctx context.Context) {
	if s.looking.take(ctx) != nil {
		return
	}
	wanted := s.combined()
	var changed bool
	if s.pause() == 0 { // nobody else has asked meanwhile
		before := s.Last()
		after := s.ask(ctx, wanted)
		changed = before.At != after.At
	}
	s.looking.giveBack()
	if changed {
		s.sessions.bells.ring(ctx, s.name)
	}
}
