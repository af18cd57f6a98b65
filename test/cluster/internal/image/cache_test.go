package image

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCacheMakesAFileOnce(t *testing.T) {
	cache := Cache{Dir: filepath.Join(t.TempDir(), "not", "there", "yet")}
	var made atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			file, err := cache.File(t.Context(), "name", "key", func(_ context.Context, file string) error {
				made.Add(1)
				return os.WriteFile(file, []byte("content"), 0o644)
			})
			if content, _ := os.ReadFile(file); err != nil || string(content) != "content" {
				t.Errorf("got %q in %s, %v", content, file, err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
}

func TestCacheKeepsNothingOfAFailure(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	failure := errors.New("no space")
	_, err := cache.File(t.Context(), "name", "key", func(_ context.Context, file string) error {
		return errors.Join(os.WriteFile(file, []byte("half"), 0o644), failure)
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache.Dir, "*.tar")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	if exists(filepath.Join(cache.Dir, ".name-key")) {
		t.Error("left its working folder")
	}
}

func TestCacheClearsWhatAKilledProcessLeft(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	stale := filepath.Join(cache.Dir, ".name-key", "out.tar")
	if err := errors.Join(os.Mkdir(filepath.Dir(stale), 0o755), os.WriteFile(stale, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	_, err := cache.File(t.Context(), "name", "key", func(_ context.Context, file string) error {
		if exists(file) {
			t.Error("works on top of what was left")
		}
		return os.WriteFile(file, nil, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCacheWaitsForAnotherUntilToldToStop(t *testing.T) {
	var log bytes.Buffer
	cache := Cache{Dir: t.TempDir(), Log: &log}
	unlock, err := cache.lock(t.Context(), "name-key")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := cache.File(ctx, "name", "key", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if log.Len() == 0 {
		t.Error("does not say that it waits")
	}
}

func TestKeyTellsInputsApart(t *testing.T) {
	if Key("ab", "c") == Key("a", "bc") {
		t.Error("the same key for other inputs")
	}
}
