//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/test/cruisecontrol"
)

const (
	cruiseControlContainer = "cruise-control"
	// standInMarker is in the command line of its process.
	standInMarker = "cruise-control"
	controlPort   = 9099
)

// standIn is the stand-in for Cruise Control of a cluster, in all its lives.
type standIn struct {
	*cluster
	begun time.Time
	// before is what was sent to its earlier lives since it begun.
	before []cruisecontrol.Request
}

// begin forgets what was sent so far.
func (s *standIn) begin(t *testing.T) {
	t.Helper()
	s.begun, s.before = time.Now(), nil
	s.heal(t)
	s.control(t, http.MethodDelete, "/requests", "", nil)
}

// pod is its Pod.
func (s *standIn) pod(ctx context.Context) (*corev1.Pod, error) {
	list := &corev1.PodList{}
	err := kube.List(ctx, list, s.inNamespace(), client.MatchingLabels{v1beta1.LabelCluster: s.name, v1beta1.LabelComponent: v1beta1.ComponentCruiseControl})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		if podIsReady(&list.Items[i]) {
			return &list.Items[i], nil
		}
	}
	return nil, fmt.Errorf("none of %d Pods of Cruise Control is ready", len(list.Items))
}

func (s *standIn) mustPod(t *testing.T) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	waitFor(t, time.Minute, "the Pod of Cruise Control", func(ctx context.Context) (string, bool) {
		var err error
		pod, err = s.pod(ctx)
		return fmt.Sprint(err), err == nil
	})
	return pod
}

// control uses the port that it has for tests.
func (s *standIn) control(t *testing.T, method, path, body string, into any) {
	t.Helper()
	url := "http://" + net.JoinHostPort(s.mustPod(t).Status.PodIP, strconv.Itoa(controlPort)) + path
	waitFor(t, 30*time.Second, method+" "+url, func(ctx context.Context) (string, bool) {
		err := askHTTP(ctx, method, url, body, into)
		return fmt.Sprint(err), err == nil
	})
}

func askHTTP(ctx context.Context, method, url, body string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, content)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(content, into)
}

// inject arranges a fault, as test/cruisecontrol/control.go says.
func (s *standIn) inject(t *testing.T, fault string) {
	t.Helper()
	s.control(t, http.MethodPost, "/faults", fault, nil)
}

// heal forgets all faults.
func (s *standIn) heal(t *testing.T) {
	t.Helper()
	s.control(t, http.MethodDelete, "/faults", "", nil)
}

// kill ends its process, which Kubernetes starts again. What was sent to it is in the log that it leaves.
func (s *standIn) kill(t *testing.T) {
	t.Helper()
	pod := s.mustPod(t)
	old := containerID(pod)
	killProcess(t, pod, cruiseControlContainer, standInMarker)
	// The kubelet takes longer with each time.
	waitFor(t, 5*time.Minute, "Cruise Control to run again", func(ctx context.Context) (string, bool) {
		now, err := s.pod(ctx)
		return fmt.Sprint(err), err == nil && containerID(now) != "" && containerID(now) != old
	})
	s.before = append(s.before, s.read(t, true)...)
}

func containerID(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == cruiseControlContainer {
			return status.ContainerID
		}
	}
	return ""
}

// requests are all that it has answered since it begun.
func (s *standIn) requests(t *testing.T) []cruisecontrol.Request {
	t.Helper()
	return append(slices.Clone(s.before), s.read(t, false)...)
}

// read reads the log of its present or its last life, which has a line for each request.
func (s *standIn) read(t *testing.T, previous bool) []cruisecontrol.Request {
	t.Helper()
	args := []string{"logs", "--namespace=" + s.namespace, s.mustPod(t).Name, "--container=" + cruiseControlContainer, "--since-time=" + s.begun.Format(time.RFC3339)}
	if previous {
		args = append(args, "--previous")
	}
	out, err := kubectl(t.Context(), args...)
	if err != nil {
		t.Fatalf("reading the log of Cruise Control: %v", err)
	}
	var found []cruisecontrol.Request
	for line := range bytes.Lines([]byte(out)) {
		var request cruisecontrol.Request
		if json.Unmarshal(line, &request) == nil && request.At.After(s.begun) {
			found = append(found, request)
		}
	}
	return found
}

// requireManners fails if something was sent to it that a careful operator does not send, or twice.
func (s *standIn) requireManners(t *testing.T) {
	t.Helper()
	var violations []string
	s.control(t, http.MethodGet, "/violations", "", &violations)
	if len(violations) > 0 {
		t.Errorf("what was sent to Cruise Control has faults: %v", violations)
	}
	for token, tasks := range s.tasks(t) {
		if len(tasks) != 1 {
			t.Errorf("the attempt %s was sent %d times: %v", token, len(tasks), sorted(tasks))
		}
	}
}

// tasks are the executions that were begun, by the token of their attempt.
func (s *standIn) tasks(t *testing.T) map[string]map[string]bool {
	t.Helper()
	tasks := map[string]map[string]bool{}
	for _, request := range s.requests(t) {
		token := request.Get("reason")
		if request.Method != http.MethodPost || request.Get("dryrun") != "false" || !request.New() {
			continue
		}
		if tasks[token] == nil {
			tasks[token] = map[string]bool{}
		}
		tasks[token][request.TaskID] = true
	}
	return tasks
}

// requireAttempts fails unless an operation was sent, and not more often than its status says that it was tried.
func (s *standIn) requireAttempts(t *testing.T, op *v1beta1.CruiseControlOperation) {
	t.Helper()
	sent := 0
	for token := range s.tasks(t) {
		if strings.Contains(token, string(op.UID)) {
			sent++
		}
	}
	if op.Status.Task == nil || sent == 0 || sent > int(op.Status.Task.Attempt) {
		t.Errorf("%s was sent %d times; its status: %+v", op.Name, sent, op.Status.Task)
	}
	t.Logf("%s was sent %d times, one task each", op.Name, sent)
}

// killProgram ends the process of one of Koperator's programs that does the work, and says who it was.
func killProgram(ctx context.Context, program string) (string, error) {
	pod, err := leaderOf(ctx, program)
	if err != nil {
		return "", err
	}
	pids, err := processesOf(pod, program, program)
	if err == nil && len(pids) == 0 {
		err = errors.New("no process found")
	}
	if err != nil {
		return "", err
	}
	return pod.Name, killAll(pids)
}
