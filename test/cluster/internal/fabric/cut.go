package fabric

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/netns"
)

// States of a switch's port, as <linux/if_bridge.h> numbers them.
const (
	portDisabled   = 0
	portForwarding = 3
)

// CutNode makes the switch drop all that comes from a node or goes to it. The node itself cannot tell: its link stays up,
// and what it sends gets lost, as when a switch fails somewhere on the way.
func (f Fabric) CutNode(node layout.Node) error {
	return f.setPort(node, portDisabled)
}

// MendNode undoes CutNode.
func (f Fabric) MendNode(node layout.Node) error {
	return f.setPort(node, portForwarding)
}

func (f Fabric) setPort(node layout.Node, state uint8) error {
	err := netns.Do(f.Cluster.Namespace(layout.ControlPlane), func() error {
		link, err := netlink.LinkByName(node.Name())
		if err != nil {
			return err
		}
		return setPortState(link.Attrs().Index, state)
	})
	if err != nil {
		return fmt.Errorf("switching the port of %s: %w", node.Name(), err)
	}
	return nil
}

// setPortState does what "bridge link set dev NAME state N" does; the netlink library has no call for it.
func setPortState(index int, state uint8) error {
	request := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	message := nl.NewIfInfomsg(unix.AF_BRIDGE)
	message.Index = int32(index)
	request.AddData(message)
	port := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	port.AddRtAttr(nl.IFLA_BRPORT_STATE, nl.Uint8Attr(state))
	request.AddData(port)
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
