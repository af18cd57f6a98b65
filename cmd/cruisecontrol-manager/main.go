// Command cruisecontrol-manager moves data: it runs Cruise Control and has it carry out CruiseControlOperations.
package main

import (
	"flag"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"koperator.dev/koperator/cmd/internal/setup"
	"koperator.dev/koperator/cruisecontrol"
)

func main() {
	var common setup.Options
	var options cruisecontrol.Options
	common.BindFlags(flag.CommandLine)
	options.BindFlags(flag.CommandLine)
	flag.Parse()
	if err := run(common, options); err != nil {
		ctrl.Log.Error(err, "cruisecontrol-manager stops")
		os.Exit(1)
	}
}

func run(common setup.Options, options cruisecontrol.Options) error {
	mgr, err := setup.NewManager("cruisecontrol-manager", common, cruisecontrol.CachedObjects())
	if err != nil {
		return err
	}
	if err := cruisecontrol.Add(mgr, options); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
