package cleanup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

// findLoopDevices finds those whose files are in the cluster's folder.
func findLoopDevices(cluster layout.Cluster) ([]string, error) {
	backing, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, file := range backing {
		content, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(content), cluster.Dir()+"/") {
			found = append(found, "/dev/"+strings.Split(file, "/")[3])
		}
	}
	return found, nil
}

// detachLoopDevices is for those that lost their mounts. All others are gone: the kernel takes them back with the mount.
func detachLoopDevices(cluster layout.Cluster) error {
	devices, err := findLoopDevices(cluster)
	if err != nil {
		return err
	}
	var errs []error
	for _, device := range devices {
		if err := detach(device); err != nil {
			errs = append(errs, fmt.Errorf("detaching %s: %w", device, err))
		}
	}
	return errors.Join(errs...)
}

func detach(device string) error {
	f, err := os.Open(device)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0); err != nil && !errors.Is(err, unix.ENXIO) {
		return err
	}
	return nil
}
