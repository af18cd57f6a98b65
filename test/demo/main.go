// Command demo shows Koperator to somebody who sees it for the first time: it installs it, applies the sample
// KafkaCluster, shows how it becomes ready, sends records through it over TLS, and adds a broker and removes it again. It works on whatever Kubernetes the
// kubeconfig names; `make demo` makes one on this machine if there is none.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

const usage = `usage: go run ./test/demo COMMAND

  up       install Koperator, start a Kafka cluster, send records through it, and add and remove a broker;
           again, it only looks and sends records
  down     remove what up made
  outside  send records through the load balancer; to be run where clients are, outside the Kubernetes cluster
  install  install Koperator and nothing else

The cluster is the one that kubectl talks to (KUBECONFIG). These variables say which images its nodes can get:

  BROKER_MANAGER_IMAGE  broker-manager, of this repository (make build)
  ENVOY_MANAGER_IMAGE   envoy-manager, of this repository (make build)
  CRUISECONTROL_MANAGER_IMAGE  cruisecontrol-manager, of this repository (make build)
  KAFKA_IMAGE           Kafka in the layout of the official image
  ENVOY_IMAGE           Envoy in the layout of the official image; without it there is no access from outside
  CRUISE_CONTROL_IMAGE  Cruise Control, or the stand-in of this repository; without it no broker is added and removed
  KAFKA_CLIENT          for outside: a folder with what is in Kafka's image
  DEMO_OUTSIDE          how to run the demo's command outside, outside of the Kubernetes cluster; up does that
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard())
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(*demo, context.Context) error{
		"up": (*demo).up, "down": (*demo).down, "outside": (*demo).outside, "install": (*demo).install,
	}
	if len(args) != 1 || commands[args[0]] == nil {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("no such command")
	}
	d, err := connect(ctx)
	if err != nil {
		return err
	}
	return commands[args[0]](d, ctx)
}

// up is the demo.
func (d *demo) up(ctx context.Context) error {
	if err := d.requireImage("KAFKA_IMAGE", d.kafkaImage); err != nil {
		return err
	}
	before, err := d.snapshot(ctx)
	if err != nil {
		return err
	}
	steps := []func(context.Context) error{d.install, d.makeNamespace, d.applyCluster, d.watchCluster, d.sendRecords, d.sendFromOutside, d.moveData, d.show}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return d.compare(ctx, before)
}
