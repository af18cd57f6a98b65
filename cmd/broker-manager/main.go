// Command broker-manager runs Kafka: brokers, the KRaft quorum, rolling restarts, storage and certificates.
package main

import (
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"koperator.dev/koperator/cmd/internal/setup"
	"koperator.dev/koperator/controllers"
)

func main() {
	options := setup.ParseFlags()
	if err := run(options); err != nil {
		ctrl.Log.Error(err, "broker-manager stops")
		os.Exit(1)
	}
}

func run(options setup.Options) error {
	mgr, err := setup.NewManager("broker-manager", options, controllers.CachedObjects())
	if err != nil {
		return err
	}
	if err := controllers.Add(mgr); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
