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

// modules of Java that the server, the tools and Prometheus' JMX agent load. java.desktop is in because log4j uses
// java.beans, jdk.crypto.ec because of elliptic curves in TLS.
var modules = []string{
	"java.base", "java.desktop", "java.instrument", "java.logging", "java.management", "java.naming", "java.net.http",
	"java.rmi", "java.security.jgss", "java.security.sasl", "java.sql", "java.xml",
	"jdk.crypto.ec", "jdk.httpserver", "jdk.management", "jdk.management.agent", "jdk.unsupported", "jdk.zipfs",
}

// jlinkOptions leave classes uncompressed: unpacking them would cost at every start what it saves once at an import.
var jlinkOptions = []string{"--strip-debug", "--no-header-files", "--no-man-pages"}

func javaKey() string {
	jdk, _ := findJDK()
	return image.Key("java 1", runtime.GOARCH, jdk.release, fmt.Sprint(modules, jlinkOptions))
}

// writeJava writes the layer of a Java that has only the modules Kafka needs.
func writeJava(ctx context.Context, file string) error {
	jdk, err := findJDK()
	if err != nil {
		return err
	}
	linked := filepath.Join(filepath.Dir(file), "java")
	options := append([]string{"--add-modules", strings.Join(modules, ","), "--output", linked}, jlinkOptions...)
	if err := run(ctx, filepath.Join(jdk.home, "bin", "jlink"), options...); err != nil {
		return err
	}
	layer := image.NewLayer()
	if err := layer.Tree(javaHome, linked); err != nil {
		return fmt.Errorf("reading what jlink wrote: %w", err)
	}
	return layer.WriteFile(file)
}

// jdk is a Java 17 on this machine from which another can be linked.
type jdk struct {
	home string
	// release is the content of the file that says which build it is.
	release string
}

var java17 = regexp.MustCompile(`(?m)^JAVA_VERSION="17[."]`)

func findJDK() (jdk, error) {
	homes, err := filepath.Glob("/usr/lib/jvm/*")
	if err != nil {
		return jdk{}, err
	}
	for _, home := range append([]string{os.Getenv("JAVA_HOME")}, homes...) {
		release, err := os.ReadFile(filepath.Join(home, "release"))
		if err == nil && java17.Match(release) && isFile(filepath.Join(home, "bin", "jlink")) && isFile(filepath.Join(home, "jmods", "java.base.jmod")) {
			return jdk{home: home, release: string(release)}, nil
		}
	}
	return jdk{}, fmt.Errorf("no JDK 17 with jlink and jmods in JAVA_HOME or /usr/lib/jvm")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
