package kafkaimage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/image"
)

const (
	// classLists is where programs write what classes they load, %p being the process.
	classLists = "/tmp/loaded-%p.lst"
	// classList is all of it together.
	classList = "/tmp/all.lst"
	// newArchive is the archive before it is in the image.
	newArchive = "/tmp/kafka.jsa"
)

// makeArchive writes the archive of classes for the image unpacked in root: those that the server and the tools load
// while they do what test clusters do. Loading them from the archive halves the processor time of a start.
//
// It is one static archive: it serves the server and the tools under any garbage collector, and makes Java's own
// archive superfluous. That the training works shows that the image does, too.
func (b *builder) makeArchive(ctx context.Context, root, file string) error {
	return inSandbox(root, appUser, func(s *sandbox) error {
		err := step(b.reporter, "training: creating, using and stopping a small cluster", usualTrain, func() error { return s.train(ctx) })
		if err != nil {
			return fmt.Errorf("training: %w", err)
		}
		return step(b.reporter, "writing the archive of classes", usualArchive, func() error { return s.dump(ctx, file) })
	})
}

// train runs a cluster and leaves lists of the classes that each program loaded.
func (s *sandbox) train(ctx context.Context) error {
	k, err := newServer(ctx, s, slices.Concat(podFlags, []string{"KAFKA_OPTS=-XX:DumpLoadedClassList=" + classLists}))
	if err != nil {
		return err
	}
	if err := k.start(ctx); err != nil {
		return err
	}
	return errors.Join(k.exercise(ctx), k.stop(ctx))
}

// exercise does what people and tests do in a Pod, with and without TLS.
func (k *server) exercise(ctx context.Context) error {
	if err := k.roundTrip(ctx, "training"); err != nil {
		return err
	}
	for _, call := range [][]string{
		{"kafka-configs.sh", "--bootstrap-server", plainAddress, "--describe", "--entity-type", "brokers", "--entity-name", "1"},
		{"kafka-metadata-quorum.sh", "--bootstrap-server", plainAddress, "describe", "--status"},
	} {
		if _, err := k.tool(ctx, "", call[0], call[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// dump makes Java load all classes of the lists and write them to an archive.
func (s *sandbox) dump(ctx context.Context, file string) error {
	lists, err := filepath.Glob(s.path(strings.ReplaceAll(classLists, "%p", "*")))
	if err != nil {
		return err
	}
	merged, err := mergeLists(lists)
	if err != nil {
		return err
	}
	if err := s.writeFile(classList, merged); err != nil {
		return err
	}
	// G1, because only it writes objects to the archive, which every collector can use. The class has to be named but is
	// not run.
	env := []string{
		"KAFKA_HEAP_OPTS=-Xmx512m",
		"KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseG1GC",
		"KAFKA_OPTS=-Xshare:dump -XX:SharedClassListFile=" + classList + " -XX:SharedArchiveFile=" + newArchive,
	}
	if _, err := s.run(ctx, env, nil, kafkaHome+"/bin/kafka-run-class.sh", "kafka.Kafka"); err != nil {
		return err
	}
	if err := s.checkArchive(ctx); err != nil {
		return err
	}
	return image.CopyFile(file, s.path(newArchive))
}

// checkArchive starts a tool that fails if it cannot use the archive.
func (s *sandbox) checkArchive(ctx context.Context) error {
	env := slices.Concat(podFlags, []string{"KAFKA_OPTS=-Xshare:on -XX:SharedArchiveFile=" + newArchive})
	_, err := s.run(ctx, env, nil, kafkaHome+"/bin/kafka-storage.sh", "random-uuid")
	return err
}

// mergeLists puts the lists of several programs together, each line once.
func mergeLists(lists []string) (string, error) {
	var merged strings.Builder
	seen := map[string]bool{}
	for _, list := range lists {
		if err := mergeList(&merged, seen, list); err != nil {
			return "", err
		}
	}
	return merged.String(), nil
}

func mergeList(merged *strings.Builder, seen map[string]bool, list string) error {
	f, err := os.Open(list)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); !seen[line] {
			seen[line] = true
			merged.WriteString(line + "\n")
		}
	}
	return lines.Err()
}
