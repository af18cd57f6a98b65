//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/test/clients"
)

// Clients of three makers write and read through the load balancer, on both listeners.
func (s *shop) everyClientSpeaks(t *testing.T) {
	all, err := clients.New(s.identity(t), t.TempDir(), settings.kafkaClient)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i := range 30 {
		lines = append(lines, fmt.Sprintf("record-%d", i))
	}
	for _, listener := range []string{sniListener, portListener} {
		bootstrap := s.external(t, listener).Bootstrap
		for i, c := range all {
			t.Run(listener+"/"+c.Name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				topic := fmt.Sprintf("client-%d-%s", i, listener)
				createTopic(t, s.dial(t), topic, []int32{100, 101}, []int32{101, 102}, []int32{102, 100})
				begin := time.Now()
				if err := c.Produce(ctx, bootstrap, topic, lines); err != nil {
					t.Fatalf("writing through %s: %v", bootstrap, err)
				}
				got, err := c.Consume(ctx, bootstrap, topic, len(lines))
				if err != nil {
					t.Fatalf("reading through %s: %v", bootstrap, err)
				}
				for _, line := range lines {
					if !slices.Contains(got, line) {
						t.Errorf("%s was written and not read", line)
					}
				}
				t.Logf("%d records through %s in %s", len(lines), bootstrap, seconds(time.Since(begin)))
			})
		}
	}
}

// identity is that of the cluster's administrator.
func (s *shop) identity(t *testing.T) clients.Identity {
	t.Helper()
	secret := &corev1.Secret{}
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: s.name + "-admin"}, secret); err != nil {
		t.Fatalf("reading the admin's Secret: %v", err)
	}
	return secret.Data
}

// occupy listens on a port inside the Pods of proxies, as another program in them would. The returned function lets go.
func occupy(t *testing.T, pods map[string]*corev1.Pod, port int) func() {
	t.Helper()
	var listeners []net.Listener
	for name, pod := range pods {
		pids, err := processesOf(pod, "envoy", "envoy")
		if err != nil || len(pids) == 0 {
			t.Fatalf("finding the process of %s: %v %v", name, pids, err)
		}
		listener, err := listenIn(pids[0], port)
		if err != nil {
			t.Fatalf("listening in %s: %v", name, err)
		}
		listeners = append(listeners, listener)
	}
	return func() {
		for _, l := range listeners {
			l.Close()
		}
	}
}

// listenIn listens in the network namespace of a process. The thread that has been there is thrown away.
func listenIn(pid, port int) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			done <- result{err: err}
			return
		}
		defer namespace.Close()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{err: err}
			return
		}
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		done <- result{listener, err}
	}()
	r := <-done
	return r.listener, r.err
}
