// Package kafkaimage builds an image of Apache Kafka for tests: no container engine, no image registry, and small,
// because every node of a test cluster imports it. It has the folders, the launch scripts and the environment of the
// official image, so that a Pod for the one runs with the other. It is not the official image and does not claim to be.
//
// Three layers, lowest first: a minimal Debian, Java, Kafka. Images of different versions of Kafka share the first two.
package kafkaimage

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

// Versions that can be built: the main one, and the one that upgrades start from.
var Versions = []string{"4.3.1", "4.2.1"}

// Paths inside the image.
const (
	javaHome    = "/opt/java/openjdk"
	kafkaHome   = "/opt/kafka"
	archivePath = kafkaHome + "/kafka.jsa"
	dataDir     = "/var/lib/kafka/data"
)

// appUser owns nothing but the data folder: the image has to run with any user, on a read-only root file system.
var appUser = image.Owner{UID: 1000, GID: 1000}

// Name is the name of the image with this version of Kafka.
func Name(version string) string {
	return "localhost/kafka:" + version
}

// Tar returns the path of the image's tar in the cache. Building it takes about a minute and needs root.
func Tar(ctx context.Context, version string, cache image.Cache, reporter *progress.Reporter) (string, error) {
	if !slices.Contains(Versions, version) {
		return "", fmt.Errorf("no image of Kafka %s: it has to be one of %s", version, strings.Join(Versions, ", "))
	}
	b := &builder{version: version, cache: cache, reporter: reporter}
	return b.image(ctx)
}

type builder struct {
	version  string
	cache    image.Cache
	reporter *progress.Reporter
}

func (b *builder) image(ctx context.Context) (string, error) {
	// The build of Java is part of the key.
	if _, err := findJDK(); err != nil {
		if err := requireTools(ctx, b.reporter); err != nil {
			return "", err
		}
	}
	// The number is to be counted up when the code makes something else of the same inputs, here and in the other keys.
	key := image.Key("kafka image 1", b.version, baseKey(), javaKey(), kafkaKey(b.version))
	return b.cache.File(ctx, "kafka-"+b.version, key, func(ctx context.Context, file string) error {
		if err := requireTools(ctx, b.reporter); err != nil {
			return err
		}
		return b.write(ctx, file)
	})
}

func (b *builder) write(ctx context.Context, file string) error {
	base, err := b.base(ctx)
	if err != nil {
		return err
	}
	java, err := b.cache.File(ctx, "layer-java", javaKey(), func(ctx context.Context, file string) error {
		return step(b.reporter, "linking Java", usualJava, func() error { return writeJava(ctx, file) })
	})
	if err != nil {
		return err
	}
	kafka := filepath.Join(filepath.Dir(file), "kafka.tar")
	if err := b.writeKafka(ctx, []string{base, java}, kafka); err != nil {
		return err
	}
	return image.Image{Name: Name(b.version), Layers: []string{base, java, kafka}, Config: config(b.version)}.WriteFile(file)
}

// base is the layer below all others.
func (b *builder) base(ctx context.Context) (string, error) {
	return b.cache.File(ctx, "layer-debian", baseKey(), func(ctx context.Context, file string) error {
		if err := requireTools(ctx, b.reporter); err != nil {
			return err
		}
		return step(b.reporter, "extracting a minimal Debian", usualBase, func() error { return writeBase(ctx, file) })
	})
}

func config(version string) v1.Config {
	return v1.Config{
		User:         fmt.Sprintf("%d:%d", appUser.UID, appUser.GID),
		Env:          environment(),
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"9092/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Apache Kafka " + version + " for tests of Koperator",
			"org.opencontainers.image.description": "Made by Koperator's test/cluster from published jars. Not the official image, not for production.",
			"org.opencontainers.image.version":     version,
			"dev.koperator.test-image":             "true",
		},
	}
}

func environment() []string {
	return []string{
		"PATH=" + kafkaHome + "/bin:" + javaHome + "/bin:/usr/local/bin:/usr/bin:/bin",
		"JAVA_HOME=" + javaHome,
		"LANG=C.UTF-8",
	}
}
