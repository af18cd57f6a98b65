// Package setup holds what every program of Koperator does before it runs its controllers: flags, logging, the scheme,
// caches, metrics, health and leader election.
package setup

import (
	"flag"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Requests to the API server in a second, on average and at once. The API server's own fairness is the real limit;
// these only keep a bug from becoming a flood.
const (
	clientQPS   = 200
	clientBurst = 400
)

// Options are the flags that every program has.
type Options struct {
	MetricsAddress string
	HealthAddress  string
	LeaderElect    bool
	LeaseNamespace string
	Namespaces     string
	logging        zap.Options
}

// ParseFlags reads the command line.
func ParseFlags() Options {
	var o Options
	o.BindFlags(flag.CommandLine)
	flag.Parse()
	return o
}

// BindFlags adds the flags to those of a program that has more.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8080", "Address of the metrics endpoint; 0 switches it off.")
	flags.StringVar(&o.HealthAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz.")
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "Let only one replica act at a time.")
	flags.StringVar(&o.LeaseNamespace, "leader-election-namespace", "", "Namespace of the Lease that says who acts; empty for the one that the program runs in.")
	flags.StringVar(&o.Namespaces, "namespaces", "", "Namespaces to watch, separated by commas; empty watches all.")
	o.logging.BindFlags(flags)
}

// NamespaceList are the namespaces to watch; none stands for all.
func (o *Options) NamespaceList() []string {
	var list []string
	for _, namespace := range strings.Split(o.Namespaces, ",") {
		if namespace = strings.TrimSpace(namespace); namespace != "" {
			list = append(list, namespace)
		}
	}
	return list
}

// Scheme knows the kinds of Kubernetes and of Koperator.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	return scheme
}

// NewManager makes the manager of a program. The name is that of its leader election Lease.
func NewManager(name string, o Options, byObject map[client.Object]cache.ByObject) (ctrl.Manager, error) {
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.logging)))
	rest, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	rest.QPS, rest.Burst = clientQPS, clientBurst

	mgr, err := ctrl.NewManager(rest, manager.Options{
		Scheme:                        Scheme(),
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.HealthAddress,
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              name + ".koperator.dev",
		LeaderElectionNamespace:       o.LeaseNamespace,
		LeaderElectionReleaseOnCancel: true,
		Cache:                         cacheOptions(o.NamespaceList(), byObject),
		// Secrets are read one by one where they are needed: a list or a watch would need the right to read all of them.
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Controller: config.Controller{EnableWarmup: ptr.To(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("readyz", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding the readiness check: %w", err)
	}
	return mgr, nil
}

func cacheOptions(namespaces []string, byObject map[client.Object]cache.ByObject) cache.Options {
	options := cache.Options{
		ByObject:         byObject,
		DefaultTransform: cache.TransformStripManagedFields(),
	}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}
