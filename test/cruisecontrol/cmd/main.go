// Command cmd runs the stand-in for Cruise Control on a real Kafka cluster, whose replicas it moves. It starts from what Cruise
// Control starts from, the path of cruisecontrol.properties. Never give it a cluster that anybody needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/realkafka"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "the stand-in for Cruise Control stops:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("one argument is needed, the path of cruisecontrol.properties")
	}
	fmt.Println("This is a stand-in for Cruise Control, for tests. It plans badly and moves real replicas.")
	s, err := read(os.Args[1], os.Getenv)
	if err != nil {
		return err
	}
	kafkaTLS, err := s.kafkaTLS()
	if err != nil {
		return err
	}
	kafka, err := realkafka.New(strings.Split(s.properties["bootstrap.servers"], ","), kafkaTLS)
	if err != nil {
		return err
	}
	defer kafka.Close()
	ctx := context.Background()
	if err := awaitTopic(ctx, kafka, s.properties["metric.reporter.topic"]); err != nil {
		return err
	}
	server := cruisecontrol.New(ctx, cruisecontrol.Options{Config: s.config, Kafka: kafka, Address: s.address(), Listen: s.listen})
	server.LogTo(os.Stdout)
	if _, err := server.Start(); err != nil {
		return err
	}
	go server.Run(ctx)
	failed := make(chan error, 1)
	if s.control != "" {
		go func() { failed <- http.ListenAndServe(s.control, server.Control()) }() //nolint:gosec // for tests
	}
	return untilTerminated(server, failed)
}

// awaitTopic waits for the topic of the metrics, and gives up after half a minute, as Cruise Control does.
func awaitTopic(ctx context.Context, kafka backend.Interface, topic string) error {
	if topic == "" {
		return errors.New("metric.reporter.topic is not set")
	}
	for range 30 {
		cluster, err := kafka.Cluster(ctx)
		if err != nil {
			fmt.Println("Kafka does not answer yet:", err)
		}
		for _, p := range cluster.Partitions {
			if p.Topic == topic {
				return nil
			}
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("there is no topic %s", topic)
}

// untilTerminated ends as slowly as Cruise Control does.
func untilTerminated(s *cruisecontrol.Server, failed <-chan error) error {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, os.Interrupt)
	select {
	case err := <-failed:
		return err
	case <-terminated:
	}
	s.Terminate()
	for s.Alive() {
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}
