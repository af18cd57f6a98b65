package envoy

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/envoy/fleet"
	"koperator.dev/koperator/envoy/fleet/objects"
)

// programContainer is the container of envoy-manager in its own Pod.
const programContainer = "envoy-manager"

// Options are what envoy-manager is told.
type Options struct {
	// XDSAddress is where proxies get their configuration from, XDSService the Service that leads there.
	XDSAddress, XDSService string
	// Image is envoy-manager's own; empty to look at its own Pod.
	Image string
	Self  fleet.Self
}

// BindFlags adds the flags of envoy-manager.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.XDSAddress, "xds-bind-address", ":18000", "Address of the xDS server, where proxies get their configuration from.")
	flags.StringVar(&o.XDSService, "xds-service", "envoy-manager", "Service in the own namespace that leads to the xDS server, at the same port.")
	flags.StringVar(&o.Image, "image", "", "Image of envoy-manager, which proxies get the program from that drains them; empty for that of its own Pod.")
	flags.StringVar(&o.Self.Namespace, "pod-namespace", os.Getenv("POD_NAMESPACE"), "Namespace of the own Pod.")
	flags.StringVar(&o.Self.Name, "pod-name", os.Getenv("POD_NAME"), "Name of the own Pod.")
	flags.StringVar((*string)(&o.Self.UID), "pod-uid", os.Getenv("POD_UID"), "UID of the own Pod.")
}

// server is where proxies find this program.
func (o *Options) server() (objects.Server, error) {
	if o.Self.Namespace == "" || o.Self.Name == "" || o.Self.UID == types.UID("") {
		return objects.Server{}, errors.New("the own Pod is not known: set --pod-namespace, --pod-name and --pod-uid, or POD_NAMESPACE, POD_NAME and POD_UID")
	}
	_, text, err := net.SplitHostPort(o.XDSAddress)
	if err != nil {
		return objects.Server{}, fmt.Errorf("reading --xds-bind-address: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return objects.Server{}, fmt.Errorf("reading --xds-bind-address: %w", err)
	}
	return objects.Server{Host: fmt.Sprintf("%s.%s.svc", o.XDSService, o.Self.Namespace), Port: int32(port)}, nil
}

// +kubebuilder:rbac:groups="",namespace=koperator-system,resources=pods,verbs=get

// image is the image that this program runs from. That of its Pod is asked for, because whoever installs Koperator sets it
// there, and would forget it elsewhere.
func (o *Options) image(ctx context.Context, c client.Reader) (string, error) {
	if o.Image != "" {
		return o.Image, nil
	}
	pod := &corev1.Pod{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: o.Self.Namespace, Name: o.Self.Name}, pod); err != nil {
		return "", fmt.Errorf("reading the own Pod for its image (or set --image): %w", err)
	}
	for _, container := range pod.Spec.Containers {
		if container.Name == programContainer {
			return container.Image, nil
		}
	}
	return "", fmt.Errorf("the own Pod %s has no container %s to read the image from: set --image", o.Self.Name, programContainer)
}
