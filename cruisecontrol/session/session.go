package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/client"
)

// Session is the way to one cluster. It is safe for concurrent use.
type Session struct {
	sessions *Sessions
	name     types.NamespacedName
	// connecting is held while Secrets are read and clients are made.
	connecting turn
	// looking is held while Cruise Control is asked, so that it is asked once for all who want to know.
	looking turn

	mu            sync.Mutex
	closed        bool
	kafka         kafka.Admin
	cruiseControl client.Client
	identity      [sha256.Size]byte
	secrets       secrets
	interests     map[string]Interest
	snapshot      Snapshot
	instance      string
	// stateTask is continued, because Cruise Control has not come to answer it yet.
	stateTask client.TaskID
	// changed wakes the poller, done ends it.
	changed, done chan struct{}
}

// turn is had by one at a time, who may take long: others stop waiting for it when their context ends.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) giveBack() { <-t }

// Kafka is the one client of Kafka.
func (s *Session) Kafka() kafka.Admin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kafka
}

// CruiseControl is the one client of Cruise Control.
func (s *Session) CruiseControl() client.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cruiseControl
}

// Refresh has the Secrets read again: what was in them was not accepted.
func (s *Session) Refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets.readAt = time.Time{}
}

// connect makes the clients what the cluster and its Secrets say.
func (s *Session) connect(ctx context.Context, kc *v1beta1.KafkaCluster) error {
	if err := s.connecting.take(ctx); err != nil {
		return err
	}
	defer s.connecting.giveBack()
	known, err := s.readSecrets(ctx, kc)
	if err != nil {
		return err
	}
	instance, err := s.sessions.Instance(ctx, kc)
	if err != nil {
		return err
	}
	admin, err := s.sessions.pool.For(s.name.String(), s.kafkaConfig(kc, known.kafka))
	if err != nil {
		return fmt.Errorf("making the client of Kafka: %w", err)
	}
	s.mu.Lock()
	s.kafka, s.instance = admin, instance
	s.mu.Unlock()
	return s.connectCruiseControl(kc, known)
}

// connectCruiseControl makes another client if the address or the authority is another. New credentials need none.
func (s *Session) connectCruiseControl(kc *v1beta1.KafkaCluster, known secrets) error {
	url := s.sessions.opts.Address(kc)
	if external := kc.Spec.CruiseControl.External; external != nil {
		url = external.URL
	}
	identity := sha256.Sum256([]byte(url + "\x00" + string(known.cruiseControl[corev1.ServiceAccountRootCAKey])))
	s.mu.Lock()
	same := s.cruiseControl != nil && s.identity == identity
	s.mu.Unlock()
	if same {
		return nil
	}
	cc, err := s.sessions.opts.CruiseControl(client.Config{
		URL: url, CA: known.cruiseControl[corev1.ServiceAccountRootCAKey], Credentials: s.credentials, UserAgent: "koperator-cruisecontrol-manager",
		Clock: s.sessions.opts.Clock, Dialer: s.sessions.opts.Dialer,
	})
	if err != nil {
		return fmt.Errorf("making the client of Cruise Control: %w", err)
	}
	s.mu.Lock()
	old := s.cruiseControl
	s.cruiseControl, s.identity, s.snapshot = cc, identity, Snapshot{}
	s.mu.Unlock()
	if old != nil {
		old.Close()
	}
	return nil
}

// credentials are asked for before each request.
func (s *Session) credentials(context.Context) (user, password string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secrets.missing != nil {
		return "", "", s.secrets.missing
	}
	return string(s.secrets.cruiseControl[corev1.BasicAuthUsernameKey]), string(s.secrets.cruiseControl[corev1.BasicAuthPasswordKey]), nil
}

func (s *Session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.done)
	if s.cruiseControl != nil {
		s.cruiseControl.Close()
	}
}

// note keeps an eye on whether the credentials are accepted.
func (s *Session) note(err error) error {
	if errors.Is(err, client.Unauthorized) {
		s.Refresh()
	}
	return err
}
