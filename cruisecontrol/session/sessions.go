// Package session gives the controllers of cruisecontrol-manager what they talk to: one client of Kafka, one client of Cruise
// Control, and one poller for each KafkaCluster, shared by all of them. What it knows can be lost at any time.
package session

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	cc "koperator.dev/koperator/cruisecontrol/client"
)

// Options are what tests replace. Their zero value is what a program uses.
type Options struct {
	Clock clock.Clock
	// Kafka makes clients of Kafka.
	Kafka func(kafka.Config) (kafka.Admin, error)
	// CruiseControl makes clients of Cruise Control.
	CruiseControl func(cc.Config) (cc.Client, error)
	// Address is that of the REST API of the Cruise Control that Koperator runs for a cluster.
	Address func(*v1beta1.KafkaCluster) string
	// Dialer opens connections to Kafka and to Cruise Control.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.CruiseControl == nil {
		o.CruiseControl = cc.New
	}
	if o.Address == nil {
		o.Address = address
	}
	return o
}

func address(kc *v1beta1.KafkaCluster) string {
	return fmt.Sprintf("https://%s.%s.svc:9090/kafkacruisecontrol", v1beta1.CruiseControlName(kc.Name), kc.Namespace)
}

// Sessions has one Session for each cluster. It is a Runnable of the manager: while it runs, it polls for whoever wants to know
// something, and rings for them.
type Sessions struct {
	client client.Reader
	// reader asks the API server itself: Secrets are never in a cache.
	reader client.Reader
	opts   Options
	pool   kafka.Pool
	bells  bells

	mu       sync.Mutex
	sessions map[types.NamespacedName]*Session
	// spawn runs a poller; nil until Start.
	spawn func(*Session)
}

// New makes Sessions from what a manager has.
func New(mgr ctrl.Manager) *Sessions { return NewWith(mgr.GetClient(), mgr.GetAPIReader(), Options{}) }

// NewWith makes Sessions that read Pods with one reader, and Secrets with one that has no cache.
func NewWith(cached, uncached client.Reader, opts Options) *Sessions {
	return &Sessions{
		client: cached, reader: uncached, opts: opts.withDefaults(), pool: kafka.Pool{New: opts.Kafka}, sessions: map[types.NamespacedName]*Session{},
	}
}

// For returns the Session of a cluster, with its clients as the cluster is now. It fails while there is no certificate to show
// to Kafka. Without credentials for Cruise Control there is a Session, and every call of Cruise Control says so.
func (s *Sessions) For(ctx context.Context, kc *v1beta1.KafkaCluster) (*Session, error) {
	if kc.Spec.CruiseControl == nil {
		return nil, fmt.Errorf("connecting to KafkaCluster %s: it has no Cruise Control", kc.Name)
	}
	session := s.of(nameOf(kc))
	if err := session.connect(ctx, kc); err != nil {
		return nil, err
	}
	return session, nil
}

func nameOf(kc *v1beta1.KafkaCluster) types.NamespacedName {
	return types.NamespacedName{Namespace: kc.Namespace, Name: kc.Name}
}

func (s *Sessions) of(name types.NamespacedName) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[name]
	if session == nil {
		session = &Session{
			sessions: s, name: name, connecting: newTurn(), looking: newTurn(), interests: map[string]Interest{},
			changed: make(chan struct{}, 1), done: make(chan struct{}),
		}
		s.sessions[name] = session
		if s.spawn != nil {
			s.spawn(session)
		}
	}
	return session
}

// Forget closes the Session of a cluster that is gone.
func (s *Sessions) Forget(name types.NamespacedName) {
	s.mu.Lock()
	session := s.sessions[name]
	delete(s.sessions, name)
	s.mu.Unlock()
	if session != nil {
		session.close()
	}
	s.pool.Forget(name.String())
	forgetMetrics(name)
}

// Start polls until ctx ends. It implements manager.Runnable, and is run by the replica that leads.
func (s *Sessions) Start(ctx context.Context) error {
	var pollers sync.WaitGroup
	s.mu.Lock()
	s.spawn = func(session *Session) { pollers.Go(func() { session.poll(ctx) }) }
	for _, session := range s.sessions {
		s.spawn(session)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.spawn = nil
	s.mu.Unlock()
	pollers.Wait()
	s.close()
	return nil
}

func (s *Sessions) close() {
	s.mu.Lock()
	sessions := s.sessions
	s.sessions = map[types.NamespacedName]*Session{}
	s.mu.Unlock()
	for _, session := range sessions {
		session.close()
	}
	s.pool.Close()
}

// Instance names the process of Cruise Control that a cluster has now: its tasks live and die with it. It is empty while there is
// none, or when there are two.
func (s *Sessions) Instance(ctx context.Context, kc *v1beta1.KafkaCluster) (string, error) {
	if kc.Spec.CruiseControl != nil && kc.Spec.CruiseControl.External != nil {
		return External, nil
	}
	list := &corev1.PodList{}
	err := s.client.List(ctx, list, client.InNamespace(kc.Namespace),
		client.MatchingLabels{v1beta1.LabelCluster: kc.Name, v1beta1.LabelComponent: v1beta1.ComponentCruiseControl})
	if err != nil {
		return "", fmt.Errorf("listing the Pods of Cruise Control: %w", err)
	}
	instance := ""
	for i := range list.Items {
		switch id := instanceOf(&list.Items[i]); {
		case id == "":
		case instance != "":
			return "", nil
		default:
			instance = id
		}
	}
	return instance, nil
}

// External is the instance of every Cruise Control that Koperator does not run: nobody says when it was restarted.
const External = "external"

func instanceOf(pod *corev1.Pod) string {
	for _, container := range pod.Status.ContainerStatuses {
		if container.Name == v1beta1.ComponentCruiseControl && container.State.Running != nil {
			return string(pod.UID) + "/" + container.ContainerID
		}
	}
	return ""
}

// refreshAfter is how old what is known of Secrets gets.
const refreshAfter = time.Minute
