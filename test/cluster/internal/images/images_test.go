package images

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const listing = `REF                     TYPE                                                 DIGEST         SIZE     PLATFORMS   LABELS
localhost/pause:1       application/vnd.oci.image.manifest.v1+json           sha256:aaaa    1.1 MiB  linux/amd64 -
sha256:c0ff             application/vnd.oci.image.manifest.v1+json           sha256:aaaa    1.1 MiB  linux/amd64 -
localhost/old:1         application/vnd.oci.image.manifest.v1+json           sha256:bbbb    1.1 MiB  linux/amd64 -
`

func TestHaveAll(t *testing.T) {
	have := parseListing(listing)
	for name, test := range map[string]struct {
		wanted []manifest
		want   bool
	}{
		"same image":            {[]manifest{{Config: "sha256:c0ff", RepoTags: []string{"localhost/pause:1"}}}, true},
		"name of an old writer": {[]manifest{{Config: "c0ff.json", RepoTags: []string{"localhost/pause:1"}}}, true},
		"tag of another image":  {[]manifest{{Config: "sha256:c0ff", RepoTags: []string{"localhost/old:1"}}}, false},
		"new tag":               {[]manifest{{Config: "sha256:c0ff", RepoTags: []string{"localhost/new:1"}}}, false},
		"new content":           {[]manifest{{Config: "sha256:dead", RepoTags: []string{"localhost/pause:1"}}}, false},
		"unknown kind of tar":   {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := haveAll(have, test.wanted); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestReadManifest(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, content := range map[string]string{"layer.tar": "x", "manifest.json": `[{"Config":"sha256:c0ff","RepoTags":["a:1"]}]`} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	manifests, err := readManifest(file)
	if err != nil || len(manifests) != 1 || manifests[0].imageID() != "sha256:c0ff" || manifests[0].RepoTags[0] != "a:1" {
		t.Errorf("got %+v, %v", manifests, err)
	}
}
