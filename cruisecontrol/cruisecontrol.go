// Package cruisecontrol is cruisecontrol-manager: every moving part of it is in the list of Add.
package cruisecontrol

import (
	"errors"

	ctrl "sigs.k8s.io/controller-runtime"

	"koperator.dev/koperator/cruisecontrol/kafkacluster"
	"koperator.dev/koperator/cruisecontrol/operation"
	"koperator.dev/koperator/cruisecontrol/schedule"
	"koperator.dev/koperator/cruisecontrol/session"
)

// Add adds every moving part of cruisecontrol-manager to mgr. The replica that leads runs them.
func Add(mgr ctrl.Manager, options Options) error {
	sessions := session.New(mgr)
	return errors.Join(
		mgr.Add(sessions),
		operation.New(mgr, sessions).SetupWithManager(mgr),
		kafkacluster.New(mgr, sessions, options.Namespace).SetupWithManager(mgr),
		schedule.New(mgr).SetupWithManager(mgr),
	)
}
