package kafkaimage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/image"
)

// packages of the base: what Java links to, and a shell with the usual small tools for scripts and for people who look
// around in a Pod. What they depend on comes along.
var packages = []string{
	"bash", "coreutils", "dash", "grep", "sed", "base-files",
	"libc6", "libc-bin", "libgcc-s1", "libstdc++6", "zlib1g",
}

// unwanted is what the packages bring and a container has no use for: documents, translations, character sets, the
// package manager, and what the build machine itself leaves in there.
var unwanted = regexp.MustCompile(`^(` + strings.Join([]string{
	`dev/.*`,
	`(boot|media|mnt|opt|srv)(/.*)?`,
	`etc/(apt|cron\.daily|dpkg|logrotate\.d|skel|update-motd\.d)(/.*)?`,
	`etc/(fstab|hostname|resolv\.conf)`,
	`usr/share/(bash-completion|bug|common-licenses|debianutils|doc|doc-base|info|lintian|locale|man|menu|polkit-1|tabset)(/.*)?`,
	`usr/lib/(apt|dpkg|systemd)(/.*)?`,
	`usr/lib/[^/]*/gconv(/.*)?`,
	`usr/bin/(dpkg.*|localedef|update-alternatives)`,
	`usr/sbin/(dpkg.*|start-stop-daemon|ldconfig)`,
	`var/(backups|cache|lib|log)(/.*)?`,
}, "|") + `)$`)

// baseFiles replace what the packages' installation scripts would have made: the packages are only extracted.
var baseFiles = map[string]string{
	"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nappuser:x:1000:1000:appuser:/home/appuser:/bin/sh\n" +
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	"etc/hosts":         "127.0.0.1 localhost\n",
	"etc/group":         "root:x:0:\nappuser:x:1000:\nnogroup:x:65534:\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

func baseKey() string {
	return image.Key("base 1", runtime.GOARCH, hostSuite(), fmt.Sprint(packages), unwanted.String(), fmt.Sprint(baseFiles))
}

// writeBase writes the layer of the minimal Debian.
func writeBase(ctx context.Context, file string) error {
	raw := filepath.Join(filepath.Dir(file), "debian.tar")
	err := run(ctx, "mmdebstrap", "--variant=extract", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
		"--include="+strings.Join(packages, ","), hostSuite(), raw)
	if err != nil {
		return err
	}
	layer, err := baseLayer(raw)
	if err != nil {
		return fmt.Errorf("reading what mmdebstrap wrote: %w", err)
	}
	return layer.WriteFile(file)
}

func baseLayer(raw string) (*image.Layer, error) {
	in, err := os.Open(raw)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	layer := image.NewLayer()
	if err := layer.Tar(in, func(name string) bool { return !unwanted.MatchString(name) }); err != nil {
		return nil, err
	}
	for name, content := range baseFiles {
		layer.File(name, 0o644, []byte(content))
	}
	// Mount points of the official image, for Pods that mount something there.
	for _, dir := range []string{"home/appuser", dataDir} {
		layer.Dir(dir, 0o755, appUser)
	}
	for _, dir := range []string{"dev", "proc", "sys", "etc/kafka/secrets", "mnt/shared/config"} {
		layer.Dir(dir, 0o755, image.Root)
	}
	return layer, nil
}

// hostSuite is the release of Debian on this machine: Java is taken from here, so the libraries below it have to be of
// the same release or a later one.
func hostSuite() string {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	m := regexp.MustCompile(`(?m)^VERSION_CODENAME="?([a-z]+)"?$`).FindSubmatch(release)
	if m == nil || !regexp.MustCompile(`(?m)^ID="?debian"?$`).Match(release) {
		return ""
	}
	return string(m[1])
}
