package xds

import (
	"context"
	"crypto/x509"
	"regexp"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// trustDomain is the authority of the URIs that name fleets.
const trustDomain = "koperator.dev"

var (
	fleetURI = regexp.MustCompile(`^spiffe://` + regexp.QuoteMeta(trustDomain) + `/ns/([a-z0-9-]{1,63})/fleet/([a-z0-9.-]{1,253})$`)
	// nodeID is what the name of a Pod can be.
	nodeID = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
)

// FleetURI is the URI in the certificate of each proxy of a fleet (a SPIFFE ID). The key is namespace/name.
func FleetURI(key string) string {
	namespace, name, _ := strings.Cut(key, "/")
	return "spiffe://" + trustDomain + "/ns/" + namespace + "/fleet/" + name
}

// fleetOf is the key of the fleet that a certificate was issued to. A SPIFFE ID is the only URI of its certificate.
func fleetOf(certificate *x509.Certificate) (key string, ok bool) {
	if len(certificate.URIs) != 1 {
		return "", false
	}
	match := fleetURI.FindStringSubmatch(certificate.URIs[0].String())
	if match == nil {
		return "", false
	}
	return match[1] + "/" + match[2], true
}

// fleetOfPeer is the fleet of whoever opened the stream, by the certificate that the handshake has verified.
func fleetOfPeer(ctx context.Context) (string, error) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return "", status.Error(codes.Unauthenticated, "who asks is not known")
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return "", status.Error(codes.Unauthenticated, "a client certificate is needed")
	}
	key, ok := fleetOf(info.State.VerifiedChains[0][0])
	if !ok {
		return "", status.Errorf(codes.PermissionDenied, "the client certificate names no fleet: it needs one URI like %s", FleetURI("NAMESPACE/NAME"))
	}
	return key, nil
}

// checkNode holds a proxy to its certificate: without it, one that was broken into could read other fleets'
// configuration.
func checkNode(node *core.Node, fleet string) error {
	switch {
	case node.GetCluster() != fleet:
		return status.Errorf(codes.PermissionDenied, "node.cluster is not %s, which the client certificate is for", fleet)
	case !nodeID.MatchString(node.GetId()):
		return status.Error(codes.InvalidArgument, "node.id is not the name of a Pod")
	}
	return nil
}
