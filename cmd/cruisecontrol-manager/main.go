// Command cruisecontrol-manager moves data: it runs Cruise Control and has it carry out CruiseControlOperations.
package main

import (
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"koperator.dev/koperator/cmd/internal/setup"
	"koperator.dev/koperator/cruisecontrol"
)

func main() {
	options := setup.ParseFlags()
	if err := run(options); err != nil {
		ctrl.Log.Error(err, "cruisecontrol-manager stops")
		os.Exit(1)
	}
}

func run(options setup.Options) error {
	mgr, err := setup.NewManager("cruisecontrol-manager", options, cruisecontrol.CachedObjects())
	if err != nil {
		return err
	}
	if err := cruisecontrol.Add(mgr); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
