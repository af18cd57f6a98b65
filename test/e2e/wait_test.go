//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"
)

const (
	lookEvery = 200 * time.Millisecond
	// talkAfter is how long something is waited for in silence.
	talkAfter = 5 * time.Second
)

// look says what is seen, for people, and whether that is what is waited for.
type look func(ctx context.Context) (seen string, done bool)

// waitFor looks until what is waited for is there and returns how long that took. The test ends if it takes longer than
// patience, with what was seen last. It must be called by the goroutine of the test.
func waitFor(t *testing.T, patience time.Duration, what string, see look) time.Duration {
	t.Helper()
	took, err := await(t.Context(), patience, what, see, func(format string, args ...any) { t.Logf(format, args...) })
	if err != nil {
		t.Fatal(err)
	}
	return took
}

// await is waitFor for those who may not end the test.
func await(ctx context.Context, patience time.Duration, what string, see look, say func(string, ...any)) (time.Duration, error) {
	begin := time.Now()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	said := ""
	for {
		seen, done := lookOnce(ctx, see)
		took := time.Since(begin)
		switch {
		case done:
			return took, nil
		case ctx.Err() != nil || took > patience:
			return took, fmt.Errorf("waited %s for %s; last seen: %s", seconds(took), what, seen)
		case took > talkAfter && seen != said:
			say("waiting for %s, %s so far: %s", what, seconds(took), seen)
			said = seen
		}
		<-ticker.C
	}
}

// lookOnce does not let a look that hangs hold up everything.
func lookOnce(ctx context.Context, see look) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	seen, done := see(ctx)
	return shorten(seen), done
}

func shorten(text string) string {
	const enough = 400
	if len(text) <= enough {
		return text
	}
	return text[:enough] + "..."
}

// holds looks again and again for a while, and ends the test when what must hold does not.
func holds(t *testing.T, while time.Duration, what string, see look) {
	t.Helper()
	deadline := time.Now().Add(while)
	for time.Now().Before(deadline) {
		if seen, ok := see(t.Context()); !ok {
			t.Fatalf("%s does not hold: %s", what, seen)
		}
		time.Sleep(lookEvery)
	}
}
