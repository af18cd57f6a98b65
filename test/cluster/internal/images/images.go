// Package images puts container images into the nodes of a cluster, which can pull none.
package images

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sync/errgroup"

	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/node"
)

// Loader imports images through the nodes' containerds.
type Loader struct {
	Cluster layout.Cluster
}

// Load imports the images of a tar into the nodes, all at the same time. Nodes that have the same images are left alone,
// and named.
func (l Loader) Load(ctx context.Context, tarFile string, nodes []layout.Node) (had []string, err error) {
	wanted, err := readManifest(tarFile)
	if err != nil {
		return nil, fmt.Errorf("reading image %s: %w", tarFile, err)
	}
	present := make([]bool, len(nodes))
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		group.Go(func() error {
			var err error
			if present[i], err = l.loadInto(ctx, n, tarFile, wanted); err != nil {
				return fmt.Errorf("loading %s into %s: %w", tarFile, n.Name(), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, n := range nodes {
		if present[i] {
			had = append(had, n.Name())
		}
	}
	return had, nil
}

func (l Loader) loadInto(ctx context.Context, n layout.Node, tarFile string, wanted []manifest) (present bool, err error) {
	listing, err := l.ctr(ctx, n, "images", "list")
	if err != nil {
		return false, err
	}
	if haveAll(parseListing(listing), wanted) {
		return true, nil
	}
	_, err = l.ctr(ctx, n, "images", "import", tarFile)
	return false, err
}

// ctr works in the namespace that Kubernetes uses.
func (l Loader) ctr(ctx context.Context, n layout.Node, arguments ...string) (string, error) {
	socket := node.Node{Cluster: l.Cluster, Node: n}.Containerd()
	cmd := exec.CommandContext(ctx, l.Cluster.Program("ctr"), append([]string{"--address", socket, "--namespace", "k8s.io"}, arguments...)...)
	output, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(output), err
}

// manifest is an entry of the manifest.json of a tar that "docker save" would write.
type manifest struct {
	Config   string
	RepoTags []string
}

// readManifest returns nothing for tars of another kind, which containerd may know how to read.
func readManifest(file string) ([]manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for archive := tar.NewReader(f); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Name == "manifest.json" {
			var manifests []manifest
			return manifests, json.NewDecoder(archive).Decode(&manifests)
		}
	}
}

// imageID is the digest of the image's configuration, by which Kubernetes names images, too.
func (m manifest) imageID() string {
	digest := strings.TrimSuffix(m.Config[strings.LastIndex(m.Config, "/")+1:], ".json")
	return "sha256:" + strings.TrimPrefix(digest, "sha256:")
}

// parseListing maps the names of images to the digests of what they stand for.
func parseListing(listing string) map[string]string {
	images := map[string]string{}
	for line := range strings.Lines(listing) {
		if fields := strings.Fields(line); len(fields) >= 3 && strings.HasPrefix(fields[2], "sha256:") {
			images[fields[0]] = fields[2]
		}
	}
	return images
}

// haveAll compares each tag with the image of the wanted ID: both are names of the same thing if the node has it.
func haveAll(have map[string]string, wanted []manifest) bool {
	for _, m := range wanted {
		byID, ok := have[m.imageID()]
		if !ok {
			return false
		}
		for _, tag := range m.RepoTags {
			if have[tag] != byID {
				return false
			}
		}
	}
	return len(wanted) > 0
}
