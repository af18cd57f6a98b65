package build

import (
	"fmt"
	"regexp"
)

// Program is a module in the folder "programs" and what is built from it. Its go.mod pins the version.
type Program struct {
	// Name is the folder's.
	Name string
	// Packages are built, each into a file of its key's name.
	Packages map[string]string
	// Links are other names of the file of the program's own name.
	Links []string
	// Tags and Static are how it is built.
	Tags   string
	Static bool
	// Version is the module whose version is linked into the program, if any.
	Version string
	// Usual is how long a build takes, on two cores: from nothing, and when Go's own cache is warm.
	Usual string
}

var (
	// Kubernetes is etcd, all of Kubernetes' programs, and kubectl.
	Kubernetes = Program{
		Name:     "kubernetes",
		Packages: map[string]string{"kubernetes": "."},
		Links:    []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"},
		Version:  "k8s.io/kubernetes",
		Usual:    "7 to 12 minutes from scratch, 1 minute with a warm cache",
	}
	containerd = Program{
		Name: "containerd",
		Packages: map[string]string{
			"containerd":              "github.com/containerd/containerd/v2/cmd/containerd",
			"containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"ctr":                     "github.com/containerd/containerd/v2/cmd/ctr",
		},
		Usual: "1.5 minutes",
	}
	runc = Program{
		Name:     "runc",
		Packages: map[string]string{"runc": "github.com/opencontainers/runc"},
		Tags:     "seccomp",
		Usual:    "15 seconds",
	}
	coreDNS = Program{
		Name:     "coredns",
		Packages: map[string]string{"coredns": "."},
		Usual:    "1.5 minutes",
	}
	// Pause is what holds a Pod's namespaces. It runs in an image without any library.
	Pause = Program{
		Name:     "pause",
		Packages: map[string]string{"pause": "."},
		Static:   true,
		Usual:    "1 second",
	}
)

// Cluster is all that runs in a cluster, but for what is in images.
func Cluster() []Program {
	return []Program{Kubernetes, containerd, runc, coreDNS}
}

func (p Program) arguments(goMod string) ([]string, error) {
	arguments := []string{"build", "-v", "-mod=readonly", "-buildvcs=false"}
	if p.Tags != "" {
		arguments = append(arguments, "-tags="+p.Tags)
	}
	version, err := p.versionFlags(goMod)
	if err != nil {
		return nil, err
	}
	return append(arguments, "-ldflags=-s -w"+version), nil
}

var versionParts = regexp.MustCompile(`^v(\d+)\.(\d+)\.`)

// versionFlags tell Kubernetes its version, which it otherwise says as something that no client understands.
func (p Program) versionFlags(goMod string) (string, error) {
	if p.Version == "" {
		return "", nil
	}
	required := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(p.Version) + ` (v\S+)`).FindStringSubmatch(goMod)
	if required == nil {
		return "", fmt.Errorf("go.mod of %s does not require %s", p.Name, p.Version)
	}
	parts := versionParts.FindStringSubmatch(required[1])
	if parts == nil {
		return "", fmt.Errorf("%s has no usual version: %s", p.Version, required[1])
	}
	const variable = " -X k8s.io/component-base/version."
	return variable + "gitVersion=" + required[1] + variable + "gitMajor=" + parts[1] + variable + "gitMinor=" + parts[2], nil
}
