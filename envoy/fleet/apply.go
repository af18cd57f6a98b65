package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/fleet/addresses"
	"koperator.dev/koperator/envoy/fleet/objects"
	"koperator.dev/koperator/envoy/fleet/ports"
)

// allocatePorts decides which ports brokers have on the proxies. They are in status, and on the Services in case that status
// is lost.
func (s *scope) allocatePorts(context.Context) error {
	taken := []int32{objects.OpsPort}
	var listeners []ports.Listener
	for _, listener := range objects.Listeners(s.cluster) {
		taken = append(taken, listener.Port, objects.ClientPort(listener))
		if !objects.IsPortPerBroker(listener) {
			continue
		}
		brokerPorts := objects.BrokerPorts(listener)
		listeners = append(listeners, ports.Listener{
			Name: listener.Name, First: brokerPorts.First, Count: brokerPorts.Count,
			Status: proxyPorts(s.cluster)[listener.Name], Services: s.portsOnServices(listener),
		})
	}
	s.ports = ports.Allocate(listeners, s.brokerIDs(), taken)
	if s.ports.Held {
		s.again(statusInterval)
	}
	return nil
}

func (s *scope) portsOnServices(listener v1beta1.Listener) map[int32]int32 {
	all := map[int32]int32{}
	for _, service := range s.services() {
		if service.Labels[objects.LabelListener] == listener.Name {
			maps.Copy(all, objects.PortsOf(service))
		}
	}
	return all
}

// applyObjects makes what the proxies run in, and what leads to them.
func (s *scope) applyObjects(ctx context.Context) error {
	var failures []error
	for _, fleet := range s.fleets {
		name := fleet.Name()
		failures = append(failures,
			s.apply(ctx, fleet.ServiceAccount(), live[*corev1.ServiceAccount](s, name)),
			s.apply(ctx, fleet.ConfigMap(s.Server), live[*corev1.ConfigMap](s, name)),
			s.apply(ctx, fleet.Budget(), live[*policyv1.PodDisruptionBudget](s, name)),
			s.apply(ctx, fleet.NetworkPolicy(), live[*networkingv1.NetworkPolicy](s, name)),
			s.applyDeployment(ctx, fleet),
		)
		for _, listener := range objects.Listeners(s.cluster) {
			failures = append(failures, s.applyService(ctx, fleet, listener))
		}
	}
	return errors.Join(failures...)
}

func (s *scope) apply(ctx context.Context, wanted runtime.ApplyConfiguration, live client.Object) error {
	_, err := s.memory.apply.Apply(ctx, wanted, live)
	return err
}

func (s *scope) applyDeployment(ctx context.Context, fleet objects.Fleet) error {
	running := live[*appsv1.Deployment](s, fleet.Name())
	wanted, err := fleet.Deployment(objects.DeploymentInput{Server: s.Server, Image: s.Image, Revision: s.revision, Running: running})
	if err != nil {
		return withReason(reasonSpec, err)
	}
	return s.apply(ctx, wanted, running)
}

func (s *scope) applyService(ctx context.Context, fleet objects.Fleet, listener v1beta1.Listener) error {
	running := live[*corev1.Service](s, fleet.ServiceName(listener.Name))
	if running == nil {
		if remembered := s.nodePorts(fleet, listener); len(remembered) > 0 {
			err := s.applyWanted(ctx, s.serviceOf(fleet, listener, remembered), nil)
			if !apierrors.IsInvalid(err) {
				return err
			}
			// Somebody else has one of the ports by now.
		}
	}
	return s.applyWanted(ctx, s.serviceOf(fleet, listener, nil), running)
}

// nodePorts are those that a Service had, which is to have them again: brokers tell their clients these ports until they are
// restarted.
func (s *scope) nodePorts(fleet objects.Fleet, listener v1beta1.Listener) map[string]int32 {
	told := listenerStatus(s.cluster, listener.Name)
	if told == nil || objects.ServiceType(listener) != v1beta1.ExternalNodePort {
		return nil
	}
	return addresses.ToldNodePorts(fleet, listener, s.groups, *told)
}

func (s *scope) applyWanted(ctx context.Context, wanted *corev1ac.ServiceApplyConfiguration, live *corev1.Service) error {
	if wanted == nil {
		return nil
	}
	return s.apply(ctx, wanted, live)
}

// serviceOf is the Service of a listener and a fleet; nil if there is nothing to reach.
func (s *scope) serviceOf(fleet objects.Fleet, listener v1beta1.Listener, nodePorts map[string]int32) *corev1ac.ServiceApplyConfiguration {
	in := objects.ServiceInput{
		Listener: listener, Ports: map[int32]int32{}, NodePorts: nodePorts, BrokerGroups: map[int32]string{},
		Hosts: addresses.Names(fleet, listener, s.groups),
	}
	for _, broker := range s.brokers {
		if s.groups[broker.ID] != fleet.Group {
			continue
		}
		if port := s.ports.Ports[listener.Name][broker.ID]; port != 0 {
			in.Ports[broker.ID] = port
		}
		if fleet.Group != "" {
			in.BrokerGroups[broker.ID] = broker.Group
		}
	}
	return fleet.Service(in)
}

// deleteObjects deletes what is no longer wanted: the proxies of groups that are gone, and Services of listeners that are.
func (s *scope) deleteObjects(ctx context.Context) error {
	wanted := s.wanted()
	var failures []error
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if obj := s.objects[key]; !wanted[key] && s.isOurs(obj) && obj.GetDeletionTimestamp().IsZero() {
			failures = append(failures, s.delete(ctx, obj))
		}
	}
	return errors.Join(failures...)
}

// wanted are the keys of all objects that the cluster should have.
func (s *scope) wanted() map[string]bool {
	wanted := map[string]bool{}
	for _, fleet := range s.fleets {
		for _, kind := range []client.Object{
			&corev1.ServiceAccount{}, &corev1.ConfigMap{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{}, &appsv1.Deployment{},
		} {
			kind.SetName(fleet.Name())
			wanted[objectKey(kind)] = true
		}
		for _, listener := range objects.Listeners(s.cluster) {
			if s.serviceOf(fleet, listener, nil) != nil {
				service := &corev1.Service{}
				service.Name = fleet.ServiceName(listener.Name)
				wanted[objectKey(service)] = true
			}
		}
	}
	return wanted
}

// delete deletes an object. The certificate of a fleet goes before its Deployment, which is how it is known that there is one.
func (s *scope) delete(ctx context.Context, obj client.Object) error {
	if _, isFleet := obj.(*appsv1.Deployment); isFleet {
		if err := s.deleteCertificate(ctx, obj.GetName()); err != nil {
			return err
		}
	}
	uid := obj.GetUID()
	if err := s.Client.Delete(ctx, obj, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %T %s: %w", obj, obj.GetName(), err)
	}
	switch obj.(type) {
	case *appsv1.Deployment:
		s.event(corev1.EventTypeNormal, "ProxiesRemoved", "Remove", "the proxies %s are removed: nothing is reached through them any more", obj.GetName())
	case *corev1.Service:
		s.event(corev1.EventTypeNormal, "ServiceRemoved", "Remove", "Service %s is removed: nothing is reached through it any more", obj.GetName())
	}
	return nil
}

// planAddresses decides what clients are told.
func (s *scope) planAddresses(context.Context) error {
	for _, listener := range objects.Listeners(s.cluster) {
		facts := addresses.Facts{
			Listener: listener, Fleets: s.fleets, Groups: s.groups, Ports: s.ports.Ports[listener.Name], Services: map[string]*corev1.Service{},
		}
		for _, fleet := range s.fleets {
			facts.Services[fleet.Group] = live[*corev1.Service](s, fleet.ServiceName(listener.Name))
		}
		if told := listenerStatus(s.cluster, listener.Name); told != nil {
			facts.Told = *told
		}
		s.addresses[listener.Name] = addresses.Of(facts)
	}
	return nil
}
