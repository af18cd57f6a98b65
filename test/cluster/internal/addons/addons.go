// Package addons puts into a new cluster what every cluster has: a name server and a class of storage.
package addons

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/storage"
)

// Install creates all add-ons.
func Install(ctx context.Context, client kubernetes.Interface) error {
	if _, err := client.CoreV1().Services(metav1.NamespaceSystem).Create(ctx, dnsService(), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the name server's Service: %w", err)
	}
	if _, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceSystem).Create(ctx, dnsEndpoints(), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the name server's EndpointSlice: %w", err)
	}
	for _, class := range storageClasses() {
		if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating StorageClass %s: %w", class.Name, err)
		}
	}
	return nil
}

const dnsName = "kube-dns"

func dnsService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: dnsName},
		Spec: corev1.ServiceSpec{
			ClusterIP: layout.DNSServiceIP,
			Ports: []corev1.ServicePort{
				{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP},
				{Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
			},
		},
	}
}

// dnsEndpoints are written by hand: the name server is no Pod.
func dnsEndpoints() *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:   dnsName,
			Labels: map[string]string{discoveryv1.LabelServiceName: dnsName},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{layout.ControlPlaneIP}}},
		Ports: []discoveryv1.EndpointPort{
			{Name: ptr.To("dns"), Port: ptr.To[int32](53), Protocol: ptr.To(corev1.ProtocolUDP)},
			{Name: ptr.To("dns-tcp"), Port: ptr.To[int32](53), Protocol: ptr.To(corev1.ProtocolTCP)},
		},
	}
}

// storageClasses are disks of nodes, with local as the default, and disks in a network, which a Pod finds on every node.
func storageClasses() []*storagev1.StorageClass {
	network := storageClass("network", storage.OnDisk, false)
	network.Parameters[storage.ReachParameter] = storage.ReachAll
	return []*storagev1.StorageClass{storageClass("local", storage.OnDisk, true), storageClass("memory", storage.InMemory, false), network}
}

func storageClass(name string, medium storage.Medium, isDefault bool) *storagev1.StorageClass {
	return &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": strconv.FormatBool(isDefault)},
		},
		Provisioner:          storage.Provisioner,
		Parameters:           map[string]string{storage.MediumParameter: string(medium)},
		ReclaimPolicy:        ptr.To(corev1.PersistentVolumeReclaimDelete),
		VolumeBindingMode:    ptr.To(storagev1.VolumeBindingWaitForFirstConsumer),
		AllowVolumeExpansion: ptr.To(true),
	}
}
