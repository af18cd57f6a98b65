package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"koperator.dev/koperator/test/cluster/internal/cleanup"
	"koperator.dev/koperator/test/cluster/internal/layout"
	"koperator.dev/koperator/test/cluster/internal/machine"
	"koperator.dev/koperator/test/cluster/internal/netns"
	"koperator.dev/koperator/test/cluster/internal/node"
	"koperator.dev/koperator/test/cluster/internal/progress"
	"koperator.dev/koperator/test/cluster/internal/supervisor"
)

// realTests is the variable that turns on tests that start clusters.
const realTests = "KOPERATOR_TEST_CLUSTER"

// TestMain lets the test program be what up copies: a supervisor and a machine's init.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{supervisor.Command, machine.InitCommand}, os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestLifeOfACluster starts a real one, breaks it in every way, and looks at what it leaves behind.
func TestLifeOfACluster(t *testing.T) {
	if os.Getenv(realTests) == "" {
		t.Skipf("it starts a cluster, which takes a minute: set %s=1", realTests)
	}
	cluster := layout.Cluster{Name: "self-test"}
	reporter := progress.New(os.Stderr)
	mustClear(t, cluster)
	t.Cleanup(func() { mustClear(t, cluster) })
	before := hostNetwork(t)

	t.Run("up", func(t *testing.T) {
		mustUp(t, cluster, reporter)
		expectReady(t, cluster, layout.Nodes)
		if after := hostNetwork(t); after != before {
			t.Errorf("the network of this machine has changed: before\n%s\nafter\n%s", before, after)
		}
	})
	t.Run("up again changes nothing", func(t *testing.T) {
		was := mustStatus(t, cluster)
		mustUp(t, cluster, reporter)
		if is := mustStatus(t, cluster); fmt.Sprint(is) != fmt.Sprint(was) {
			t.Errorf("was\n%+v\nis\n%+v", was, is)
		}
	})
	t.Run("a Pod with a volume behind a load balancer", func(t *testing.T) {
		client := newClient(t, cluster)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		createPod(ctx, t, client)
		for {
			pod, err := client.CoreV1().Pods("default").Get(ctx, podName, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			service, err := client.CoreV1().Services("default").Get(ctx, podName, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if pod.Status.Phase == corev1.PodRunning && len(service.Status.LoadBalancer.Ingress) > 0 {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
	t.Run("kill and heal", func(t *testing.T) {
		inflict(t, cluster, supervisor.Kill)
		if netns.Exists(cluster.Namespace("node2")) {
			t.Error("a killed node is on the network")
		}
		expectReady(t, cluster, layout.Nodes-1)
		inflict(t, cluster, supervisor.Heal)
		expectReady(t, cluster, layout.Nodes)
	})
	t.Run("cut and heal", func(t *testing.T) {
		inflict(t, cluster, supervisor.Cut)
		expectReady(t, cluster, layout.Nodes-1)
		inflict(t, cluster, supervisor.Heal)
		expectReady(t, cluster, layout.Nodes)
	})
	t.Run("up after a crash of the supervisor", func(t *testing.T) {
		killSupervisor(t, cluster)
		mustUp(t, cluster, reporter)
		expectReady(t, cluster, layout.Nodes)
	})
	t.Run("down leaves nothing", func(t *testing.T) {
		if err := down(cluster, reporter); err != nil {
			t.Fatal(err)
		}
		left, err := cleanup.Find(cluster)
		if err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		if after := hostNetwork(t); after != before {
			t.Errorf("the network of this machine has changed: before\n%s\nafter\n%s", before, after)
		}
	})
}

func mustClear(t *testing.T, cluster layout.Cluster) {
	t.Helper()
	if err := cleanup.Clear(cluster); err != nil {
		t.Fatal(err)
	}
}

func mustUp(t *testing.T, cluster layout.Cluster, reporter *progress.Reporter) {
	t.Helper()
	if err := up(t.Context(), cluster, reporter); err != nil {
		t.Fatal(err)
	}
}

func mustStatus(t *testing.T, cluster layout.Cluster) supervisor.Status {
	t.Helper()
	status, err := supervisor.NewClient(cluster).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// inflict is on node2: neither the first nor the last.
func inflict(t *testing.T, cluster layout.Cluster, fault supervisor.Fault) {
	t.Helper()
	if err := supervisor.NewClient(cluster).Inflict(t.Context(), layout.Node{Number: 2}, fault); err != nil {
		t.Fatal(err)
	}
}

func newClient(t *testing.T, cluster layout.Cluster) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

const podName = "patient"

// createPod uses the only image that every node has.
func createPod(ctx context.Context, t *testing.T, client kubernetes.Interface) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: podName, Labels: map[string]string{"app": podName}}
	_, err := client.CoreV1().PersistentVolumeClaims("default").Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: meta,
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("64Mi")},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeLoadBalancer,
			Selector: meta.Labels,
			Ports:    []corev1.ServicePort{{Port: 80}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	claim := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: podName}
	_, err = client.CoreV1().Pods("default").Create(ctx, &corev1.Pod{
		ObjectMeta: meta,
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name:         podName,
				Image:        node.PauseImage,
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: claim}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func expectReady(t *testing.T, cluster layout.Cluster, want int) {
	t.Helper()
	client := newClient(t, cluster)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for got := -1; got != want; {
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatalf("waiting for %d ready nodes, there are %d: %v", want, got, err)
		}
		got = supervisor.CountReady(nodes.Items)
		time.Sleep(200 * time.Millisecond)
	}
}

func killSupervisor(t *testing.T, cluster layout.Cluster) {
	t.Helper()
	if err := unix.Kill(mustStatus(t, cluster).PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// hostNetwork is all that a cluster must not touch.
func hostNetwork(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, command := range []string{"ip -oneline link", "ip -oneline address", "ip route show table all", "nft list ruleset"} {
		fields := strings.Fields(command)
		output, err := exec.Command(fields[0], fields[1:]...).Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		fmt.Fprintf(&all, "# %s\n%s\n", command, output)
	}
	return all.String()
}
