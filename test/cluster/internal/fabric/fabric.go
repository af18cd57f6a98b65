// Package fabric is the cluster's network: a namespace for every machine, a switch that joins the control plane and the
// nodes, and a link to where clients are. Switch and link are in the control plane's namespace, which routes between all
// ranges. There is no way out, and the namespace of the machine itself has no part in it.
package fabric

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/netns"
)

const (
	bridge = "br0"
	// uplink is what a machine calls its side of the link to the switch; there the other side has the machine's name.
	uplink = "eth0"
)

// Fabric is the network of a cluster.
type Fabric struct {
	Cluster layout.Cluster
}

// Create makes the whole network.
func (f Fabric) Create() error {
	if err := f.createSwitch(); err != nil {
		return fmt.Errorf("creating the network's switch: %w", err)
	}
	if err := f.attachOutside(); err != nil {
		return fmt.Errorf("joining the outside to the network: %w", err)
	}
	for _, node := range layout.AllNodes() {
		if err := f.AttachNode(node); err != nil {
			return err
		}
	}
	return nil
}

func (f Fabric) createSwitch() error {
	handle, err := f.createNamespace(layout.ControlPlane)
	if err != nil {
		return err
	}
	defer handle.Close()
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge, HardwareAddr: hardwareAddr(layout.ControlPlaneIP)}}
	if err := handle.LinkAdd(br); err != nil {
		return err
	}
	if err := addressUp(handle, br, layout.ControlPlaneIP); err != nil {
		return err
	}
	for _, node := range layout.AllNodes() {
		if err := routeVia(handle, node.PodCIDR(), node.IP()); err != nil {
			return err
		}
	}
	return refuseElsewhere(handle)
}

// attachOutside is a network of its own: clients are no neighbours of the nodes, and all that they send and get passes
// the control plane, which balances the load.
func (f Fabric) attachOutside() error {
	handle, err := f.createNamespace(layout.Outside)
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := f.plug(handle, layout.Outside, layout.OutsideIP); err != nil {
		return err
	}
	switchHandle, err := netns.Handle(f.Cluster.Namespace(layout.ControlPlane))
	if err != nil {
		return err
	}
	defer switchHandle.Close()
	port, err := switchHandle.LinkByName(layout.Outside)
	if err != nil {
		return err
	}
	if err := addressUp(switchHandle, port, layout.OutsideGateway); err != nil {
		return err
	}
	return f.useUplink(handle, layout.OutsideIP, layout.OutsideGateway)
}

// AttachNode makes a node's namespace and joins it to the switch.
func (f Fabric) AttachNode(node layout.Node) error {
	if err := f.attachNode(node); err != nil {
		return fmt.Errorf("joining %s to the network: %w", node.Name(), err)
	}
	return nil
}

func (f Fabric) attachNode(node layout.Node) error {
	handle, err := f.createNamespace(node.Name())
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := f.plug(handle, node.Name(), node.IP()); err != nil {
		return err
	}
	if err := f.joinSwitch(node.Name()); err != nil {
		return err
	}
	if err := f.useUplink(handle, node.IP(), layout.ControlPlaneIP); err != nil {
		return err
	}
	for _, other := range layout.AllNodes() {
		if other == node {
			continue
		}
		if err := routeVia(handle, other.PodCIDR(), other.IP()); err != nil {
			return err
		}
	}
	return nil
}

// DetachNode takes a node's namespace away, and all that is in it.
func (f Fabric) DetachNode(node layout.Node) error {
	handle, err := netns.Handle(f.Cluster.Namespace(layout.ControlPlane))
	if err != nil {
		return err
	}
	defer handle.Close()
	// A process that is still dying keeps the namespace alive, and with it the link; it may go away just now.
	if link, err := handle.LinkByName(node.Name()); err == nil {
		if err := handle.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("removing the link of %s: %w", node.Name(), err)
		}
	}
	return netns.Delete(f.Cluster.Namespace(node.Name()))
}

// Delete removes all namespaces of the cluster; their links go with them.
func (f Fabric) Delete() error {
	var errs []error
	for _, machine := range f.Cluster.Machines() {
		errs = append(errs, netns.Delete(f.Cluster.Namespace(machine)))
	}
	return errors.Join(errs...)
}

// plug makes the cable: one end is in the machine's namespace, the other in the control plane's.
func (f Fabric) plug(handle *netlink.Handle, machine, ip string) error {
	switchNamespace, err := os.Open(netns.Path(f.Cluster.Namespace(layout.ControlPlane)))
	if err != nil {
		return err
	}
	defer switchNamespace.Close()
	return handle.LinkAdd(&netlink.Veth{
		// A fixed hardware address: a node that comes back is known to its neighbours.
		LinkAttrs:     netlink.LinkAttrs{Name: uplink, HardwareAddr: hardwareAddr(ip)},
		PeerName:      machine,
		PeerNamespace: netlink.NsFd(switchNamespace.Fd()),
	})
}

func (f Fabric) joinSwitch(machine string) error {
	handle, err := netns.Handle(f.Cluster.Namespace(layout.ControlPlane))
	if err != nil {
		return err
	}
	defer handle.Close()
	port, err := handle.LinkByName(machine)
	if err != nil {
		return err
	}
	br, err := handle.LinkByName(bridge)
	if err != nil {
		return err
	}
	if err := handle.LinkSetMaster(port, br); err != nil {
		return err
	}
	return handle.LinkSetUp(port)
}

func (f Fabric) useUplink(handle *netlink.Handle, ip, gateway string) error {
	link, err := handle.LinkByName(uplink)
	if err != nil {
		return err
	}
	if err := addressUp(handle, link, ip); err != nil {
		return err
	}
	return routeVia(handle, "0.0.0.0/0", gateway)
}

func (f Fabric) createNamespace(machine string) (*netlink.Handle, error) {
	name := f.Cluster.Namespace(machine)
	if err := netns.Create(name); err != nil {
		return nil, err
	}
	if err := netns.Do(name, forwardPackets); err != nil {
		return nil, fmt.Errorf("making %s a router: %w", name, err)
	}
	handle, err := netns.Handle(name)
	if err != nil {
		return nil, err
	}
	loopback, err := handle.LinkByName("lo")
	if err == nil {
		err = handle.LinkSetUp(loopback)
	}
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("starting the loopback of %s: %w", name, err)
	}
	return handle, nil
}

// forwardPackets works on the namespace of the thread that calls it: the kernel shows each its own.
func forwardPackets() error {
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

func addressUp(handle *netlink.Handle, link netlink.Link, ip string) error {
	address := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(ip), Mask: net.CIDRMask(layout.SubnetBits, 32)}}
	if err := handle.AddrAdd(link, address); err != nil {
		return err
	}
	return handle.LinkSetUp(link)
}

func routeVia(handle *netlink.Handle, cidr, gateway string) error {
	return addRoute(handle, cidr, netlink.Route{Gw: net.ParseIP(gateway)})
}

// refuseElsewhere answers at once to whoever looks for something outside, so that nothing waits for a time-out.
func refuseElsewhere(handle *netlink.Handle) error {
	return addRoute(handle, "0.0.0.0/0", netlink.Route{Type: unix.RTN_UNREACHABLE})
}

// RouteServices makes the addresses of Services work for clients outside: the node, which has a kube-proxy, passes on what
// is sent there.
func (f Fabric) RouteServices(node layout.Node) error {
	handle, err := netns.Handle(f.Cluster.Namespace(layout.ControlPlane))
	if err != nil {
		return err
	}
	defer handle.Close()
	_, services, err := net.ParseCIDR(layout.ServiceRange)
	if err != nil {
		return err
	}
	if err := handle.RouteReplace(&netlink.Route{Dst: services, Gw: net.ParseIP(node.IP())}); err != nil {
		return fmt.Errorf("routing Services to %s: %w", node.Name(), err)
	}
	return nil
}

func addRoute(handle *netlink.Handle, cidr string, route netlink.Route) error {
	_, destination, err := net.ParseCIDR(cidr)
	if err != nil {
		return err
	}
	route.Dst = destination
	if err := handle.RouteAdd(&route); err != nil {
		return fmt.Errorf("adding a route to %s: %w", cidr, err)
	}
	return nil
}

// hardwareAddr is a locally administered address that follows from an IP address.
func hardwareAddr(ip string) net.HardwareAddr {
	return append(net.HardwareAddr{0x02, 0x00}, net.ParseIP(ip).To4()...)
}
