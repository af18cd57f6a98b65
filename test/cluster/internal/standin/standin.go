// Package standin builds an image of the stand-in for Cruise Control, which is laid out as the images of Cruise Control are:
// a Pod for the one runs with the other, and brokers get a metrics reporter out of it that reports nothing. There is no
// Cruise Control in it.
package standin

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/kafkaimage"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

// Name of the image, which nobody can take for Cruise Control's.
const Name = "cruise-control-stand-in"

// Version of Cruise Control that it stands in for.
const Version = "2.5.146"

// Paths inside the image: those of Cruise Control's release, and that of the program.
const (
	home        = "/opt/cruise-control"
	startScript = home + "/kafka-cruise-control-start.sh"
	reporterJar = home + "/cruise-control-metrics-reporter/build/libs/cruise-control-metrics-reporter-" + Version + ".jar"
	program     = home + "/cruise-control-stand-in"
)

// script is what Cruise Control is started with.
const script = "#!/bin/sh\n# A stand-in for Cruise Control, for tests.\nexec " + program + " \"$@\"\n"

const (
	className = "com/linkedin/kafka/cruisecontrol/metricsreporter/CruiseControlMetricsReporter"
	manifest  = "Manifest-Version: 1.0\r\nImplementation-Title: A stand-in for the metrics reporter of Cruise Control, for tests\r\n\r\n"
)

//go:embed files/CruiseControlMetricsReporter.java
var source string

// Image is what an image is made of.
type Image struct {
	// Binary is the static program of test/cruisecontrol/cmd.
	Binary, Tag string
}

func (i Image) name() string { return "localhost/" + Name + ":" + i.Tag }

// Tar returns the path of the image's tar in the cache.
func (i Image) Tar(ctx context.Context, cache image.Cache, reporter *progress.Reporter) (string, error) {
	binary, err := os.ReadFile(i.Binary)
	if err != nil {
		return "", fmt.Errorf("reading the program: %w", err)
	}
	if err := image.CheckStatic(i.Binary); err != nil {
		return "", err
	}
	base, err := kafkaimage.Base(ctx, cache, reporter)
	if err != nil {
		return "", fmt.Errorf("making the base: %w", err)
	}
	jar, err := reporterLayer(ctx, cache, reporter)
	if err != nil {
		return "", fmt.Errorf("making the metrics reporter: %w", err)
	}
	// The names of layers in the cache tell what is in them.
	key := image.Key("cruise control stand-in 1", i.name(), script, filepath.Base(base), filepath.Base(jar), string(binary))
	return cache.File(ctx, Name, key, func(_ context.Context, file string) error {
		return i.write(file, binary, base, jar)
	})
}

func (i Image) write(file string, binary []byte, below ...string) error {
	layer := image.NewLayer()
	layer.File(program, 0o755, binary)
	layer.File(startScript, 0o755, []byte(script))
	layerFile := filepath.Join(filepath.Dir(file), "layer.tar")
	if err := layer.WriteFile(layerFile); err != nil {
		return err
	}
	return image.Image{Name: i.name(), Layers: append(below, layerFile), Config: config()}.WriteFile(file)
}

func config() v1.Config {
	return v1.Config{
		User:       "1000:1000",
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		Cmd:        []string{startScript},
		WorkingDir: home,
		Labels: map[string]string{
			"org.opencontainers.image.title":       "A stand-in for Cruise Control " + Version + ", for tests of Koperator",
			"org.opencontainers.image.description": "Made by Koperator's test/cluster. It is not Cruise Control, has nothing of it, and is not for production.",
			"dev.koperator.test-image":             "true",
		},
	}
}

// reporterLayer has the jar that brokers load.
func reporterLayer(ctx context.Context, cache image.Cache, reporter *progress.Reporter) (string, error) {
	javac, err := kafkaimage.FindJavac(ctx, reporter)
	if err != nil {
		return "", err
	}
	clients := kafkaimage.Versions[len(kafkaimage.Versions)-1] // the oldest: what is compiled with it works with the others
	key := image.Key("metrics reporter 2", source, manifest, reporterJar, clients, javac.Release)
	return cache.File(ctx, "layer-metrics-reporter", key, func(ctx context.Context, file string) error {
		class, err := javac.Compile(ctx, filepath.Dir(file), className, source, "org.apache.kafka:kafka-clients:"+clients)
		if err != nil {
			return err
		}
		jar, err := newJar(map[string][]byte{"META-INF/MANIFEST.MF": []byte(manifest), className + ".class": class})
		if err != nil {
			return err
		}
		layer := image.NewLayer()
		layer.File(reporterJar, 0o644, jar)
		return layer.WriteFile(file)
	})
}

// newJar packs files, the manifest first.
func newJar(files map[string][]byte) ([]byte, error) {
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	for _, name := range []string{"META-INF/MANIFEST.MF", className + ".class"} {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: image.Epoch})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
