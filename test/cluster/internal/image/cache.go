package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Cache keeps files that are costly to make, under names that tell all they were made from.
type Cache struct {
	Dir string
	// Log gets a line when somebody else is making the wanted file.
	Log io.Writer
}

// UserCache is the cache that all clones of the project share.
func UserCache(log io.Writer) (Cache, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("finding the cache folder: %w", err)
	}
	return Cache{Dir: filepath.Join(dir, "koperator", "images"), Log: log}, nil
}

// Key is short and differs when any of the inputs does.
func Key(inputs ...string) string {
	sum := sha256.New()
	for _, in := range inputs {
		fmt.Fprintf(sum, "%d:%s,", len(in), in)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// File returns the path of the tar with this name and key. If there is none, write has to write it to the path it is
// given, in a folder of its own that is removed afterwards. A file is in the cache whole or not at all, and two
// processes never make the same one.
func (c Cache) File(ctx context.Context, name, key string, write func(ctx context.Context, file string) error) (string, error) {
	stem := name + "-" + key
	file := filepath.Join(c.Dir, stem+".tar")
	if exists(file) {
		return file, nil
	}
	unlock, err := c.lock(ctx, stem)
	if err != nil {
		return "", fmt.Errorf("locking %s: %w", file, err)
	}
	defer unlock()
	if exists(file) {
		return file, nil
	}
	if err := c.fill(ctx, stem, file, write); err != nil {
		return "", fmt.Errorf("making %s: %w", stem, err)
	}
	return file, nil
}

func (c Cache) fill(ctx context.Context, stem, file string, write func(context.Context, string) error) error {
	work := filepath.Join(c.Dir, "."+stem)
	// Left by a process that was killed: whoever holds the lock is the only one who works in there.
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	temporary := filepath.Join(work, "out.tar")
	if err := write(ctx, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

// lock waits until this process alone holds the lock. The kernel drops it when the process ends, however it ends.
func (c Cache) lock(ctx context.Context, stem string) (unlock func(), err error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(c.Dir, "."+stem+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, f.Close())
		}
		if !told && c.Log != nil {
			fmt.Fprintf(c.Log, "%s: waiting for another process that is making it\n", stem)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
