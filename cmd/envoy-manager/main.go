// Command envoy-manager makes KafkaClusters reachable from outside of Kubernetes: it runs Envoy proxies and tells them what to
// serve. In the Pods of the proxies, the same program lets go of clients before a proxy stops.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	ctrl "sigs.k8s.io/controller-runtime"

	"koperator.dev/koperator/cmd/internal/setup"
	"koperator.dev/koperator/envoy"
	"koperator.dev/koperator/envoy/drain"
)

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "envoy-manager stops:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	command := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		return manage(ctx, args)
	case "install":
		return drain.InstallCommand(args)
	case "drain":
		return drain.Command(ctx, args)
	}
	return fmt.Errorf("there is no command %s: there are run, install and drain", command)
}

func manage(ctx context.Context, args []string) error {
	var common setup.Options
	var options envoy.Options
	common.BindFlags(flag.CommandLine)
	options.BindFlags(flag.CommandLine)
	if err := flag.CommandLine.Parse(args); err != nil {
		return err
	}
	mgr, err := setup.NewManager("envoy-manager", common, envoy.CachedObjects(common.NamespaceList(), options.Self.Namespace))
	if err != nil {
		return err
	}
	if err := envoy.Add(ctx, mgr, options); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
