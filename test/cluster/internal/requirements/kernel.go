package requirements

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/progress"
)

const (
	inotifyInstances = "/proc/sys/fs/inotify/max_user_instances"
	// A cluster takes 32, and the usual limit is 128, for all that root runs: the kubelet that gets none ends.
	enoughInotifyInstances = 1024
)

// EnsureKernel raises limits that are too low for several clusters. It never lowers any, nor does anybody else: it cannot
// be known who relies on it by then.
func EnsureKernel(reporter *progress.Reporter) error {
	content, err := os.ReadFile(inotifyInstances)
	if err != nil {
		return fmt.Errorf("reading a limit of the kernel: %w", err)
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return fmt.Errorf("reading %s: %w", inotifyInstances, err)
	}
	if have >= enoughInotifyInstances {
		return nil
	}
	reporter.Say("raising fs.inotify.max_user_instances from %d to %d until this machine is restarted", have, enoughInotifyInstances)
	if err := os.WriteFile(inotifyInstances, []byte(strconv.Itoa(enoughInotifyInstances)), 0); err != nil {
		return fmt.Errorf("raising a limit of the kernel: %w", err)
	}
	return nil
}
