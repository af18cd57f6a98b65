package cruisecontrol

import (
	"flag"
	"os"
)

// Options are what cruisecontrol-manager is told.
type Options struct {
	// Namespace is its own: Cruise Control lets itself be asked from there only. Empty for any.
	Namespace string
}

// BindFlags adds the flags of cruisecontrol-manager.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.Namespace, "pod-namespace", os.Getenv("POD_NAMESPACE"), "Namespace of the own Pod, the only one that Cruise Control can be reached from; empty for any.")
}
