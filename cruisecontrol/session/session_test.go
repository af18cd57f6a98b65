package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
	cc "koperator.dev/koperator/cruisecontrol/client"
)

// world is an API server in memory, and a Cruise Control that knows one password and counts questions.
type world struct {
	*testing.T
	api      client.Client
	clock    *clocktesting.FakeClock
	sessions *Sessions
	configs  []kafka.Config
	url      string

	mu       sync.Mutex
	password string
	asked    []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, clock: clocktesting.NewFakeClock(time.Now()), password: "one"}
	web := httptest.NewServer(w)
	t.Cleanup(web.Close)
	w.url = web.URL
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(secret("orders-cruisecontrol-manager", ""), secret("orders-cruise-control-api", "one")).Build()
	w.sessions = NewWith(w.api, w.api, Options{
		Clock: w.clock, Address: func(*v1beta1.KafkaCluster) string { return w.url },
		Kafka: func(c kafka.Config) (kafka.Admin, error) {
			w.configs = append(w.configs, c)
			return kafkafake.New(), nil
		},
	})
	return w
}

func secret(name, password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kafka", Name: name},
		Data:       map[string][]byte{"username": []byte("manager"), "password": []byte(password)},
	}
}

func (w *world) ServeHTTP(resp http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:])
	if _, password, _ := req.BasicAuth(); password != w.password {
		resp.WriteHeader(http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(req.URL.Path, "user_tasks") {
		_, _ = resp.Write([]byte(`{"version":1,"userTasks":[]}`))
		return
	}
	_, _ = resp.Write([]byte(`{"version":1,"ExecutorState":{"state":"NO_TASK_IN_PROGRESS"},"MonitorState":{"state":"RUNNING"}}`))
}

func (w *world) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

func (w *world) cluster() *v1beta1.KafkaCluster {
	return &v1beta1.KafkaCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kafka", Name: "orders"},
		Spec: v1beta1.KafkaClusterSpec{
			BrokerGroups:  []v1beta1.BrokerGroup{{Name: "c", Roles: []v1beta1.Role{v1beta1.RoleController}}, {Name: "b", Roles: []v1beta1.Role{v1beta1.RoleBroker}}},
			Brokers:       []v1beta1.Broker{{ID: 0, Group: "c"}, {ID: 100, Group: "b"}},
			CruiseControl: &v1beta1.CruiseControl{Image: "i"},
		},
		Status: v1beta1.KafkaClusterStatus{Brokers: []v1beta1.BrokerStatus{{ID: 101, Phase: v1beta1.BrokerDraining}}},
	}
}

func (w *world) session() *Session {
	w.Helper()
	s, err := w.sessions.For(w.Context(), w.cluster())
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func TestSeedsAreBrokers(t *testing.T) {
	w := newWorld(t)
	w.session()
	if seeds := strings.Join(w.configs[0].Seeds, " "); strings.Contains(seeds, "orders-0.") || !strings.Contains(seeds, "orders-100.") || !strings.Contains(seeds, "orders-101.") {
		t.Errorf("got %s", seeds)
	}
}

// A password that was changed is used as soon as the old one is refused.
func TestPasswordIsChanged(t *testing.T) {
	w := newWorld(t)
	if seen := w.session().Look(t.Context(), 0, Interest{}); seen.Err != nil {
		t.Fatal(seen.Err)
	}
	w.password = "two"
	if err := w.api.Update(t.Context(), secret("orders-cruise-control-api", "two")); err != nil {
		t.Fatal(err)
	}
	w.clock.Step(time.Second)
	if seen := w.session().Look(t.Context(), 0, Interest{}); !errors.Is(seen.Err, cc.Unauthorized) {
		t.Fatalf("got %v", seen.Err)
	}
	w.clock.Step(time.Second)
	if seen := w.session().Look(t.Context(), 0, Interest{}); seen.Err != nil {
		t.Fatal(seen.Err)
	}
}

// Without credentials there is Kafka, and Cruise Control says what is missing.
func TestNoCredentials(t *testing.T) {
	w := newWorld(t)
	if err := w.api.Delete(t.Context(), secret("orders-cruise-control-api", "")); err != nil {
		t.Fatal(err)
	}
	s := w.session()
	if s.Kafka() == nil {
		t.Error("no client of Kafka")
	}
	if seen := s.Look(t.Context(), 0, Interest{}); seen.Err == nil || !strings.Contains(seen.Err.Error(), "orders-cruise-control-api") {
		t.Errorf("got %v", seen.Err)
	}
}

// What was asked a moment ago is not asked again, unless somebody wants to know more.
func TestLook(t *testing.T) {
	w := newWorld(t)
	s := w.session()
	s.Look(t.Context(), time.Second, Interest{})
	s.Look(t.Context(), time.Second, Interest{})
	if n := w.questions(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	s.Look(t.Context(), time.Second, Interest{Monitor: true, Tasks: []cc.TaskID{"x"}})
	if n := w.questions(); n != 3 {
		t.Errorf("asked %d times", n)
	}
	w.clock.Step(2 * time.Second)
	s.Look(t.Context(), time.Second, Interest{})
	if n := w.questions(); n != 4 {
		t.Errorf("asked %d times", n)
	}
}

// The process of Cruise Control is that of its running container; none while there are two.
func TestInstance(t *testing.T) {
	w := newWorld(t)
	pod := func(name string, state corev1.ContainerState) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "kafka", Name: name, UID: types.UID(name),
				Labels: map[string]string{v1beta1.LabelCluster: "orders", v1beta1.LabelComponent: v1beta1.ComponentCruiseControl},
			},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "cruise-control", ContainerID: "c", State: state}}},
		}
	}
	instance := func(kc *v1beta1.KafkaCluster) string {
		t.Helper()
		got, err := w.sessions.Instance(context.Background(), kc)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	for _, step := range []struct {
		pod  *corev1.Pod
		want string
	}{{pod("old", corev1.ContainerState{}), ""}, {pod("one", running), "one/c"}, {pod("two", running), ""}} {
		if err := w.api.Create(t.Context(), step.pod); err != nil {
			t.Fatal(err)
		}
		if got := instance(w.cluster()); got != step.want {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
	external := w.cluster()
	external.Spec.CruiseControl = &v1beta1.CruiseControl{External: &v1beta1.ExternalCruiseControl{URL: w.url}}
	if got := instance(external); got != External {
		t.Errorf("got %q", got)
	}
}
