package kafkaimage

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/image"
)

//go:embed files
var files embed.FS

// tools of Kafka and the class that each one runs.
var toolClasses = map[string]string{
	"kafka-acls.sh":                "org.apache.kafka.tools.AclCommand",
	"kafka-broker-api-versions.sh": "org.apache.kafka.tools.BrokerApiVersionsCommand",
	"kafka-cluster.sh":             "org.apache.kafka.tools.ClusterTool",
	"kafka-configs.sh":             "kafka.admin.ConfigCommand",
	"kafka-console-consumer.sh":    "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-console-producer.sh":    "org.apache.kafka.tools.ConsoleProducer",
	"kafka-consumer-groups.sh":     "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-consumer-perf-test.sh":  "org.apache.kafka.tools.ConsumerPerformance",
	"kafka-dump-log.sh":            "org.apache.kafka.tools.DumpLogSegments",
	"kafka-features.sh":            "org.apache.kafka.tools.FeatureCommand",
	"kafka-leader-election.sh":     "org.apache.kafka.tools.LeaderElectionCommand",
	"kafka-log-dirs.sh":            "org.apache.kafka.tools.LogDirsCommand",
	"kafka-metadata-quorum.sh":     "org.apache.kafka.tools.MetadataQuorumCommand",
	"kafka-producer-perf-test.sh":  "org.apache.kafka.tools.ProducerPerformance",
	"kafka-reassign-partitions.sh": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"kafka-storage.sh":             "kafka.tools.StorageTool",
	"kafka-topics.sh":              "org.apache.kafka.tools.TopicCommand",
}

// classOf is the class of a tool in this version.
func classOf(tool, version string) string {
	if tool == "kafka-dump-log.sh" && strings.HasPrefix(version, "4.2.") {
		return "kafka.tools.DumpLogSegments" // moved in 4.3
	}
	return toolClasses[tool]
}

func kafkaKey(version string) string {
	inputs := []string{"kafka 1", version, fmt.Sprint(toolClasses)}
	// An embedded file system cannot fail.
	_ = fs.WalkDir(files, "files", func(name string, d fs.DirEntry, _ error) error {
		if d.IsDir() {
			return nil
		}
		content, err := files.ReadFile(name)
		inputs = append(inputs, name, string(content))
		return err
	})
	return image.Key(inputs...)
}

// writeKafka writes the layer with Kafka's jars, the launch scripts and the archive of loaded classes. The archive
// is made by the jars' and Java's very files, at their very place: on top of the layers below.
func (b *builder) writeKafka(ctx context.Context, below []string, file string) error {
	work := filepath.Dir(file)
	jars := filepath.Join(work, "libs")
	err := step(b.reporter, "resolving the jars of Kafka "+b.version, usualJars, func() error {
		return resolveJars(ctx, b.version, jars)
	})
	if err != nil {
		return err
	}
	layer, err := kafkaLayer(jars, b.version)
	if err != nil {
		return err
	}
	if err := layer.WriteFile(file); err != nil {
		return err
	}
	root := filepath.Join(work, "root")
	if err := unpack(slices.Concat(below, []string{file}), root); err != nil {
		return err
	}
	archive := filepath.Join(work, "kafka.jsa")
	if err := b.makeArchive(ctx, root, archive); err != nil {
		return fmt.Errorf("archiving classes: %w", err)
	}
	if err := layer.HostFile(archivePath, 0o644, archive); err != nil {
		return err
	}
	return layer.WriteFile(file)
}

func unpack(layers []string, root string) error {
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, layer := range layers {
		if err := image.UnpackLayer(layer, root); err != nil {
			return err
		}
	}
	return nil
}

func kafkaLayer(jars, version string) (*image.Layer, error) {
	layer := image.NewLayer()
	if err := layer.Tree(path.Join(kafkaHome, "libs"), jars); err != nil {
		return nil, err
	}
	if err := addScripts(layer, version); err != nil {
		return nil, err
	}
	// The official image's user writes the configuration it starts with in here.
	layer.Dir(path.Join(kafkaHome, "config"), 0o755, appUser)
	return layer, nil
}

func addScripts(layer *image.Layer, version string) error {
	for dir, mode := range map[string]int64{"bin": 0o755, "config": 0o644} {
		entries, err := files.ReadDir(path.Join("files", dir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			content, err := files.ReadFile(path.Join("files", dir, e.Name()))
			if err != nil {
				return err
			}
			layer.File(path.Join(kafkaHome, dir, e.Name()), mode, content)
		}
	}
	for tool := range toolClasses {
		script := fmt.Sprintf("#!/bin/sh\nexec %s/bin/kafka-run-class.sh %s \"$@\"\n", kafkaHome, classOf(tool, version))
		layer.File(path.Join(kafkaHome, "bin", tool), 0o755, []byte(script))
	}
	return nil
}

// resolveJars lets Maven collect Kafka's jars in a new folder.
func resolveJars(ctx context.Context, version, jars string) error {
	jdk, err := findJDK()
	if err != nil {
		return err
	}
	pom, err := files.ReadFile("files/pom.xml")
	if err != nil {
		return err
	}
	work := filepath.Dir(jars)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	return runIn(ctx, work, []string{"JAVA_HOME=" + jdk.home}, "mvn", "--batch-mode", "--no-transfer-progress",
		"-Dkafka.version="+version, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+jars)
}
