package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

const (
	// usualStart and usualMove are how long it takes on two cores.
	usualStart = 30 * time.Second
	usualMove  = time.Minute
	limit      = 10 * time.Minute
)

// watchCluster shows how the cluster becomes ready.
func (d *demo) watchCluster(ctx context.Context) error {
	view := newView(os.Stdout, time.Now(), usualStart)
	cluster := &v1beta1.KafkaCluster{}
	err := await(ctx, limit, "the KafkaCluster to be ready", func(ctx context.Context) (string, bool) {
		if err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: clusterName}, cluster); err != nil {
			return err.Error(), false
		}
		view.show(cluster, time.Now())
		return explain(cluster), isReady(cluster)
	})
	view.end()
	if err != nil {
		return fmt.Errorf("%w\n\nWhat there is: kubectl -n %s get kc,pods,pvc,events", err, namespace)
	}
	say("the KafkaCluster is ready, %s", seconds(time.Since(view.begin)))
	return nil
}

func isReady(cluster *v1beta1.KafkaCluster) bool {
	ready := meta.FindStatusCondition(cluster.Status.Conditions, v1beta1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == cluster.Generation
}

// explain says why a cluster is not ready.
func explain(cluster *v1beta1.KafkaCluster) string {
	if ready := meta.FindStatusCondition(cluster.Status.Conditions, v1beta1.ConditionReady); ready != nil {
		return ready.Reason + ": " + ready.Message
	}
	return "it has no status yet; broker-manager has not seen it"
}

// view shows a cluster: on a terminal as a table that stays in its place, else as a line for each change.
type view struct {
	out        io.Writer
	begin      time.Time
	usual      time.Duration
	isTerminal bool
	// drawn is the number of lines of the table on the terminal.
	drawn int
	seen  map[string]string
}

func newView(out *os.File, begin time.Time, usual time.Duration) *view {
	info, err := out.Stat()
	isTerminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &view{out: out, begin: begin, usual: usual, isTerminal: isTerminal, seen: map[string]string{}}
}

func (v *view) show(cluster *v1beta1.KafkaCluster, now time.Time) {
	v.print(describe(cluster), now)
}

func (v *view) print(lines []line, now time.Time) {
	if v.isTerminal {
		table := []string{v.clock(now)}
		for _, l := range lines {
			table = append(table, l.text)
		}
		v.redraw(table)
		return
	}
	for _, l := range lines {
		if v.seen[l.of] != l.state {
			v.seen[l.of] = l.state
			fmt.Fprintf(v.out, "    %6s  %s\n", minutes(now.Sub(v.begin)), l.text)
		}
	}
}

func (v *view) clock(now time.Time) string {
	return fmt.Sprintf("%s (usually %s)", minutes(now.Sub(v.begin)), minutes(v.usual))
}

func (v *view) redraw(lines []string) {
	if v.drawn > 0 {
		fmt.Fprintf(v.out, "\033[%dA", v.drawn)
	}
	for _, line := range lines {
		fmt.Fprintf(v.out, "\033[2K    %.110s\n", line)
	}
	// A table that has become shorter leaves nothing of the longer one.
	for range v.drawn - len(lines) {
		fmt.Fprint(v.out, "\033[2K\n")
	}
	v.drawn = max(v.drawn, len(lines))
}

func (v *view) end() { v.drawn = 0 }

// line is what is said of a node, or of the cluster. Where nothing can be drawn over, it is said again when the state is
// another one.
type line struct{ of, state, text string }

func describe(cluster *v1beta1.KafkaCluster) []line {
	var lines []line
	status := &cluster.Status
	for i := range status.Brokers {
		lines = append(lines, describeNode(cluster, &status.Brokers[i]))
	}
	text := "waiting for broker-manager"
	if status.Summary != nil {
		text = fmt.Sprintf("controllers %s, brokers %s", status.Summary.Controllers, status.Summary.Brokers)
	}
	return append(lines, line{state: text, text: text})
}

func describeNode(cluster *v1beta1.KafkaCluster, node *v1beta1.BrokerStatus) line {
	name := fmt.Sprintf("%s-%d", cluster.Name, node.ID)
	text := fmt.Sprintf("%-10s %-11s %s", name, rolesOf(cluster, node.ID), node.Phase)
	state := string(node.Phase)
	if node.Node != "" {
		text += " on " + node.Node
	}
	if node.Rack != "" {
		text += " in " + node.Rack
	}
	// That it starts is what everybody expects; anything else is said.
	healthy := meta.FindStatusCondition(node.Conditions, v1beta1.ConditionBrokerHealthy)
	if healthy != nil && healthy.Status == metav1.ConditionFalse && healthy.Reason != "Starting" {
		text += ": " + healthy.Message
		state += healthy.Reason
	}
	return line{of: name, state: state, text: text}
}

func rolesOf(cluster *v1beta1.KafkaCluster, id int32) string {
	for _, broker := range cluster.Spec.Brokers {
		for _, group := range cluster.Spec.BrokerGroups {
			if broker.ID != id || broker.Group != group.Name {
				continue
			}
			var roles []string
			for _, role := range group.Roles {
				roles = append(roles, string(role))
			}
			return strings.Join(roles, ", ")
		}
	}
	return "leaving"
}

// say tells of a step that is done.
func say(format string, args ...any) { fmt.Printf("  * "+format+"\n", args...) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func minutes(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
