// Package netns makes named network namespaces and works in them.
package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// dir is where "ip netns" looks for namespaces, too.
const dir = "/run/netns"

// Path is the file that a namespace is kept alive by.
func Path(name string) string { return filepath.Join(dir, name) }

// Exists tells whether there is such a namespace.
func Exists(name string) bool {
	_, err := os.Lstat(Path(name))
	return err == nil
}

// Create makes a namespace.
func Create(name string) error {
	if Exists(name) {
		return fmt.Errorf("there is a network namespace %s already", name)
	}
	done := make(chan error)
	go func() {
		// The thread ends in the new namespace: it is never unlocked, so that nothing else runs on it.
		runtime.LockOSThread()
		handle, err := netns.NewNamed(name)
		if err == nil {
			err = handle.Close()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		return fmt.Errorf("creating network namespace %s: %w", name, err)
	}
	return nil
}

// Delete removes the name. The namespace goes with the last process in it.
func Delete(name string) error {
	path := Path(name)
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmounting network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing network namespace %s: %w", name, err)
	}
	return nil
}

// Enter moves the calling thread into the namespace. The caller has locked it.
func Enter(name string) error {
	handle, err := netns.GetFromPath(Path(name))
	if err != nil {
		return fmt.Errorf("opening network namespace %s: %w", name, err)
	}
	defer handle.Close()
	if err := netns.Set(handle); err != nil {
		return fmt.Errorf("entering network namespace %s: %w", name, err)
	}
	return nil
}

// Do calls f on a thread that is in the namespace. Sockets that f makes and processes that it starts belong to the
// namespace for good.
func Do(name string, f func() error) error {
	done := make(chan error)
	go func() {
		done <- func() error {
			runtime.LockOSThread()
			home, err := netns.Get()
			if err != nil {
				return err
			}
			defer home.Close()
			if err := Enter(name); err != nil {
				return err
			}
			err = f()
			// A thread that cannot go home stays locked and dies with the goroutine.
			if back := netns.Set(home); back == nil {
				runtime.UnlockOSThread()
			}
			return err
		}()
	}()
	return <-done
}

// Handle gives access to the links and routes of the namespace.
func Handle(name string) (*netlink.Handle, error) {
	ns, err := netns.GetFromPath(Path(name))
	if err != nil {
		return nil, fmt.Errorf("opening network namespace %s: %w", name, err)
	}
	defer ns.Close()
	return netlink.NewHandleAt(ns)
}

// Dialer connects from within the namespace, to addresses that need no look-up.
func Dialer(name string) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = Do(name, func() error {
			conn, err = dialer.DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
}

// Listen listens within the namespace.
func Listen(name, network, address string) (listener net.Listener, err error) {
	err = Do(name, func() error {
		listener, err = net.Listen(network, address)
		return err
	})
	return listener, err
}
