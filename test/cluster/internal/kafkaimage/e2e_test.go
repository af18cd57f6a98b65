//go:build e2e

package kafkaimage

import (
	"archive/zip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

// TestImage unpacks the images and runs Kafka in them: root, Debian and, when the images are not in the cache yet, a
// network are needed.
func TestImage(t *testing.T) {
	cache, err := image.UserCache(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range Versions {
		t.Run(version, func(t *testing.T) {
			tar, err := Tar(t.Context(), version, cache, progress.New(os.Stderr))
			if err != nil {
				t.Fatal(err)
			}
			root := filepath.Join(t.TempDir(), "root")
			if err := errors.Join(os.Mkdir(root, 0o755), image.Unpack(tar, root)); err != nil {
				t.Fatal(err)
			}
			t.Run("every tool has its class", func(t *testing.T) { testToolClasses(t, root, version) })
			t.Run("serves the image's user", func(t *testing.T) { testServes(t, root, appUser) })
			t.Run("serves any user", func(t *testing.T) { testServes(t, root, image.Owner{UID: 4711, GID: 4711}) })
			t.Run("starts faster with the archive", func(t *testing.T) { testArchive(t, root) })
		})
	}
}

func testToolClasses(t *testing.T, root, version string) {
	jars, err := filepath.Glob(filepath.Join(root, kafkaHome, "libs", "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	var classes []string
	for _, jar := range jars {
		content, err := zip.OpenReader(jar)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range content.File {
			classes = append(classes, f.Name)
		}
		content.Close()
	}
	for tool := range toolClasses {
		if class := classOf(tool, version); !slices.Contains(classes, strings.ReplaceAll(class, ".", "/")+".class") {
			t.Errorf("%s runs %s, which no jar has", tool, class)
		}
	}
}

// testServes lets a user format, start and use a server with TLS on a read-only root file system, and stop it.
func testServes(t *testing.T, root string, user image.Owner) {
	err := inSandbox(root, user, func(s *sandbox) error {
		k, err := newServer(t.Context(), s, podFlags)
		if err != nil {
			return err
		}
		if err := k.start(t.Context(), "KAFKA_OPTS=-Xlog:class+load:file=/tmp/classes.log", "KAFKA_JMX_PORT=9999"); err != nil {
			return err
		}
		err = errors.Join(checkHandshake(k), checkListens("127.0.0.1:9999"), k.roundTrip(t.Context(), "e2e"))
		began := time.Now()
		if err := errors.Join(err, k.stop(t.Context())); err != nil {
			return err
		}
		t.Logf("stopped %s after SIGTERM", time.Since(began).Round(time.Millisecond))
		return checkClasses(t, s)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkHandshake(k *server) error {
	state, err := k.handshake()
	if err != nil {
		return fmt.Errorf("connecting with TLS: %w", err)
	}
	if state.Version != tls.VersionTLS13 {
		return fmt.Errorf("agreed on %s instead of TLS 1.3", tls.VersionName(state.Version))
	}
	if got := state.PeerCertificates[0].PublicKeyAlgorithm; got != x509.ECDSA {
		return fmt.Errorf("the server's key is of the kind %s instead of ECDSA", got)
	}
	return nil
}

func checkListens(address string) error {
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// checkClasses wants nearly all classes to come from the archive. The others are made at run time, as for lambdas, or
// are of kinds that Java does not archive.
func checkClasses(t *testing.T, s *sandbox) error {
	log, err := os.ReadFile(s.path("/tmp/classes.log"))
	if err != nil {
		return err
	}
	loaded := strings.Count(string(log), "source: ")
	archived := strings.Count(string(log), "source: shared objects file")
	t.Logf("%d of %d classes came from the archive", archived, loaded)
	if archived < loaded*8/10 {
		return fmt.Errorf("only %d of %d classes came from the archive", archived, loaded)
	}
	return nil
}

// testArchive compares what a start costs with and without the archive, which was written under G1.
func testArchive(t *testing.T, root string) {
	for collector, flags := range map[string]string{"serial": podFlags[1], "G1": "KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseG1GC"} {
		with, without := measureStart(t, root, flags), measureStart(t, root, flags+" -Xshare:off")
		t.Logf("%s collector: a start costs %.2f s of CPU with the archive, %.2f s without", collector, with.Seconds(), without.Seconds())
		if with >= without {
			t.Errorf("%s collector: the archive does not pay", collector)
		}
	}
}

// measureStart starts a server with these options and returns the processor time until it serves.
func measureStart(t *testing.T, root, flags string) time.Duration {
	t.Helper()
	var cpu time.Duration
	err := inSandbox(root, appUser, func(s *sandbox) error {
		k, err := newServer(t.Context(), s, []string{podFlags[0], flags})
		if err != nil {
			return err
		}
		if err := k.start(t.Context()); err != nil {
			return err
		}
		cpu, err = cpuTime(k.cmd.Process.Pid)
		return errors.Join(err, k.stop(t.Context()))
	})
	if err != nil {
		t.Fatal(err)
	}
	return cpu
}

// cpuTime is what a process has used so far, by itself and for the kernel.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Behind the name, which may have spaces: fields 3 and on. 14 and 15 are in hundredths of a second.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, err2)
}
