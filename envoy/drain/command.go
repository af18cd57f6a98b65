package drain

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"k8s.io/utils/clock"

	"koperator.dev/koperator/envoy/fleet/objects"
)

// containerLog is the output of the container's first process, which is Envoy. What a hook itself writes is read by
// nobody.
const containerLog = "/proc/1/fd/1"

// Command is `envoy-manager drain`, with its arguments.
func Command(ctx context.Context, args []string) error {
	o := Options{Clock: clock.RealClock{}}
	flags := flag.NewFlagSet("drain", flag.ContinueOnError)
	flags.StringVar(&o.Socket, "socket", objects.AdminSocket, "File of Envoy's admin interface.")
	flags.DurationVar(&o.Deregistration, "deregistration", 10*time.Second, "Time until the load balancer is sure to send no new clients.")
	flags.DurationVar(&o.Timeout, "timeout", 30*time.Second, "Time for closing connections.")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading arguments: %w", err)
	}
	log, end := openLog(containerLog)
	defer end()
	o.Out = io.MultiWriter(os.Stdout, log)
	return Run(ctx, o)
}

// InstallCommand is `envoy-manager install FOLDER`.
func InstallCommand(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: envoy-manager install FOLDER")
	}
	return Install(args[0])
}

// openLog opens the log of the container, without waiting for anybody who reads it. Where that is not allowed, it does
// without.
func openLog(path string) (io.Writer, func()) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
	if err != nil {
		return io.Discard, func() {}
	}
	return file, func() { _ = file.Close() }
}
