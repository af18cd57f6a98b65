package kafkaimage

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

// dependencyPlugin is the plugin of Maven that pom.xml names too.
const dependencyPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"

// Base returns the path of the layer with the minimal Debian that Kafka's images are made on, for others.
func Base(ctx context.Context, cache image.Cache, reporter *progress.Reporter) (string, error) {
	b := &builder{cache: cache, reporter: reporter}
	return b.base(ctx)
}

// Javac compiles what brokers load besides Kafka.
type Javac struct {
	home string
	// Release says which build of Java it is.
	Release string
}

// FindJavac finds the Java of this machine that Kafka's images have, and installs it if there is none.
func FindJavac(ctx context.Context, reporter *progress.Reporter) (Javac, error) {
	found, err := findJDK()
	if err != nil {
		if err := requireTools(ctx, reporter); err != nil {
			return Javac{}, err
		}
		found, err = findJDK()
	}
	return Javac{home: found.home, Release: found.release}, err
}

// Compile compiles one class that needs one jar, by its Maven coordinates, and returns its content. It works in dir.
func (j Javac) Compile(ctx context.Context, dir, class, source, artifact string) ([]byte, error) {
	libraries, classes := filepath.Join(dir, "libs"), filepath.Join(dir, "classes")
	err := runIn(ctx, dir, []string{"JAVA_HOME=" + j.home}, "mvn", "--batch-mode", "--no-transfer-progress", dependencyPlugin,
		"-Dartifact="+artifact, "-DoutputDirectory="+libraries)
	if err != nil {
		return nil, err
	}
	jars, err := filepath.Glob(filepath.Join(libraries, "*.jar"))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, path.Base(class)+".java")
	if err := errors.Join(os.Mkdir(classes, 0o755), os.WriteFile(file, []byte(source), 0o644)); err != nil {
		return nil, err
	}
	err = run(ctx, filepath.Join(j.home, "bin", "javac"), "--release", "17", "-proc:none", "-cp", strings.Join(jars, ":"), "-d", classes, file)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(classes, class+".class"))
}
