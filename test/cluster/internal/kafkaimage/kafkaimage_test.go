package kafkaimage

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"koperator.dev/koperator/test/cluster/internal/image"
)

func TestOnlyKnownVersions(t *testing.T) {
	_, err := Tar(t.Context(), "3.9.0", image.Cache{Dir: t.TempDir()}, nil)
	if err == nil || !strings.Contains(err.Error(), "4.3.1") {
		t.Errorf("the error does not say which versions there are: %v", err)
	}
}

func TestBaseLeavesOut(t *testing.T) {
	for name, want := range map[string]bool{
		"usr/bin/bash":                           false,
		"usr/lib/x86_64-linux-gnu/libc.so.6":     false,
		"usr/lib/locale/C.utf8/LC_CTYPE":         false,
		"bin":                                    false,
		"var":                                    false,
		"tmp":                                    false,
		"etc/hostname":                           true,
		"dev/null":                               true,
		"usr/share/doc/bash/README":              true,
		"usr/share/locale/uk/LC_MESSAGES/sed.mo": true,
		"usr/lib/x86_64-linux-gnu/gconv/libCNS.so": true,
		"var/lib/dpkg/status":                      true,
	} {
		if got := unwanted.MatchString(name); got != want {
			t.Errorf("%s: left out %t, want %t", name, got, want)
		}
	}
}

func TestToolMovedBetweenVersions(t *testing.T) {
	if got := classOf("kafka-dump-log.sh", "4.2.1"); got != "kafka.tools.DumpLogSegments" {
		t.Errorf("4.2.1 runs %s", got)
	}
	if got := classOf("kafka-dump-log.sh", "4.3.1"); got != "org.apache.kafka.tools.DumpLogSegments" {
		t.Errorf("4.3.1 runs %s", got)
	}
}

func TestMergedListsNameAClassOnce(t *testing.T) {
	dir := t.TempDir()
	server, tool := filepath.Join(dir, "server"), filepath.Join(dir, "tool")
	if err := errors.Join(os.WriteFile(server, []byte("A\nB\n"), 0o644), os.WriteFile(tool, []byte("B\nC\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	got, err := mergeLists([]string{server, tool})
	if err != nil || got != "A\nB\nC\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestScripts(t *testing.T) {
	for name, test := range map[string]struct {
		script     string
		env        []string
		archive    bool
		want, hate []string
	}{
		"a tool has a small heap and logs to standard error": {
			script: "kafka-topics.sh",
			want:   []string{"-Xmx256M", "-XX:+UseG1GC", "HOME/config/tools-log4j2.yaml", "-cp HOME/libs/a.jar:HOME/libs/b.jar", "org.apache.kafka.tools.TopicCommand argument"},
			hate:   []string{"SharedArchiveFile"},
		},
		"the server has a big heap and logs to standard output": {
			script: "kafka-server-start.sh",
			want:   []string{"-Xmx1G -Xms1G", "HOME/config/log4j2.yaml", "kafka.Kafka argument"},
			hate:   []string{"jmxremote"},
		},
		"a Pod's variables win": {
			script: "kafka-server-start.sh",
			env: []string{"KAFKA_HEAP_OPTS=-Xmx128m", "KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseSerialGC", "KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/mine.yaml",
				"KAFKA_OPTS=-Da=b -Dc=d", "CLASSPATH=/more.jar"},
			want: []string{"-Xmx128m -XX:+UseSerialGC", "-Dlog4j2.configurationFile=/mine.yaml", "b.jar:/more.jar -Da=b -Dc=d kafka.Kafka"},
			hate: []string{"-Xmx1G", "UseG1GC", "HOME/config/log4j2.yaml"},
		},
		"JMX on one port": {
			script: "kafka-server-start.sh",
			env:    []string{"KAFKA_JMX_PORT=9999"},
			want:   []string{"jmxremote.port=9999", "jmxremote.rmi.port=9999", "jmxremote.ssl=false"},
		},
		"the archive is used": {
			script: "kafka-server-start.sh", archive: true,
			want: []string{"-XX:SharedArchiveFile=HOME/kafka.jsa"},
		},
		"an archive of one's own is used": {
			script: "kafka-server-start.sh", archive: true,
			env:  []string{"KAFKA_OPTS=-XX:SharedArchiveFile=/mine.jsa"},
			want: []string{"-XX:SharedArchiveFile=/mine.jsa"},
			hate: []string{"HOME/kafka.jsa"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := runScript(t, test.script, test.archive, test.env)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in %s", want, got)
				}
			}
			for _, hate := range test.hate {
				if strings.Contains(got, hate) {
					t.Errorf("%q in %s", hate, got)
				}
			}
		})
	}
}

// runScript runs a script with a Java that prints its arguments, and returns them with the Kafka folder as HOME.
func runScript(t *testing.T, script string, archive bool, env []string) string {
	t.Helper()
	layer := image.NewLayer()
	if err := addScripts(layer, Versions[0]); err != nil {
		t.Fatal(err)
	}
	layer.File(kafkaHome+"/libs/b.jar", 0o644, nil)
	layer.File(kafkaHome+"/libs/a.jar", 0o644, nil)
	layer.File("java/bin/java", 0o755, []byte("#!/bin/sh\necho \"$@\"\n"))
	if archive {
		layer.File(archivePath, 0o644, nil)
	}
	root := t.TempDir()
	file := filepath.Join(t.TempDir(), "layer.tar")
	if err := layer.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command("tar", "-xf", file, "-C", root, "--no-same-owner").CombinedOutput(); err != nil {
		t.Fatalf("unpacking: %v: %s", err, output)
	}
	home := filepath.Join(root, kafkaHome)
	relocate(t, home)
	cmd := exec.Command(filepath.Join(home, "bin", script), "argument")
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "JAVA_HOME=" + filepath.Join(root, "java")}, env...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("running %s: %v: %s", script, err, output)
	}
	return strings.ReplaceAll(string(output), home, "HOME")
}

// relocate lets the scripts find each other outside an image.
func relocate(t *testing.T, home string) {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(home, "bin", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		content, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(script, []byte(strings.ReplaceAll(string(content), kafkaHome, home)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
