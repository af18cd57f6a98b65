package objects

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"koperator.dev/koperator/envoy/ir"
)

// What the proxies use themselves.
const (
	// OpsPort is for readiness and metrics. It is on no Service.
	OpsPort = ir.OpsPort
	// AdminSocket is the file of Envoy's admin interface in its container.
	AdminSocket = "/run/envoy/admin.sock"

	configFolder      = "/etc/envoy"
	certificateFolder = "/certs"
	bootstrapFile     = "bootstrap.yaml"
)

//go:embed bootstrap.yaml
var bootstrap string

//go:embed xds-certificate.yaml
var xdsCertificate string

//go:embed xds-trusted-ca.yaml
var xdsTrustedCA string

// Server is where proxies get their configuration.
type Server struct {
	// Host is also the name in the server's certificate.
	Host string
	Port int32
}

// Files are what a proxy starts from, by name. They do not follow from what it serves: that comes over xDS.
func (f Fleet) Files(server Server) map[string]string {
	values := strings.NewReplacer(
		"${ADMIN_SOCKET}", AdminSocket,
		"${CERTIFICATES}", certificateFolder,
		"${CONFIG_FOLDER}", configFolder,
		"${MAX_CONNECTIONS}", fmt.Sprint(f.maxConnections()),
		"${OPS_PORT}", fmt.Sprint(OpsPort),
		"${XDS_HOST}", server.Host,
		"${XDS_PORT}", fmt.Sprint(server.Port),
	)
	return map[string]string{
		bootstrapFile:          values.Replace(bootstrap),
		"xds-certificate.yaml": values.Replace(xdsCertificate),
		"xds-trusted-ca.yaml":  values.Replace(xdsTrustedCA),
	}
}

// ConfigMap holds the files that a fleet's proxies start from.
func (f Fleet) ConfigMap(server Server) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(f.Name(), f.Cluster.Namespace).
		WithLabels(f.labels()).
		WithOwnerReferences(f.ownerReference()).
		WithData(f.Files(server))
}

// hashOf tells files apart: Envoy reads them when it starts and never again.
func hashOf(files map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_, _ = fmt.Fprintf(h, "%q %q\n", name, files[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
