// Package lock keeps two runs of this program from doing the same thing at the same time.
package lock

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const interval = 200 * time.Millisecond

// Acquire waits until this process alone holds the lock on a file or folder that exists. The kernel drops it when the
// process ends, however it ends. If somebody else holds it, waiting is called once.
func Acquire(path string, waiting func()) (release func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !told {
			waiting()
		}
		time.Sleep(interval)
	}
}
