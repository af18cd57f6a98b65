package session

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
)

// +kubebuilder:rbac:groups="",resources=secrets,verbs=get,roleName=koperator-cruisecontrol-manager-secrets

// secrets are what was read of them, and when.
type secrets struct {
	readAt        time.Time
	names         [2]string
	kafka         map[string][]byte
	cruiseControl map[string][]byte
	// missing says that there are no credentials for Cruise Control; it is told whoever calls it.
	missing error
}

// readSecrets reads them again when what is known has become old.
func (s *Session) readSecrets(ctx context.Context, kc *v1beta1.KafkaCluster) (secrets, error) {
	names := [2]string{v1beta1.CruiseControlManagerSecretName(kc.Name), apiSecret(kc)}
	s.mu.Lock()
	known := s.secrets
	s.mu.Unlock()
	now := s.sessions.opts.Clock.Now()
	if known.names == names && known.missing == nil && now.Sub(known.readAt) < refreshAfter {
		return known, nil
	}
	read := secrets{readAt: now, names: names}
	var err error
	if read.kafka, err = s.readSecret(ctx, names[0]); err != nil {
		return secrets{}, err
	}
	if names[1] != "" {
		read.cruiseControl, read.missing = s.readSecret(ctx, names[1])
		if read.missing != nil && !apierrors.IsNotFound(read.missing) {
			return secrets{}, read.missing
		}
	}
	s.mu.Lock()
	s.secrets = read
	s.mu.Unlock()
	return read, nil
}

// apiSecret is the Secret with the credentials for Cruise Control; empty if it needs none.
func apiSecret(kc *v1beta1.KafkaCluster) string {
	external := kc.Spec.CruiseControl.External
	switch {
	case external == nil:
		return v1beta1.CruiseControlAPISecretName(kc.Name)
	case external.SecretRef == nil:
		return ""
	}
	return external.SecretRef.Name
}

func (s *Session) readSecret(ctx context.Context, name string) (map[string][]byte, error) {
	secret := &corev1.Secret{}
	if err := s.sessions.reader.Get(ctx, types.NamespacedName{Namespace: s.name.Namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return secret.Data, nil
}

// kafkaConfig leads to the brokers of the spec and to those that are being removed.
func (s *Session) kafkaConfig(kc *v1beta1.KafkaCluster, secret map[string][]byte) kafka.Config {
	config := kafka.Config{
		ClientID: "koperator-cruisecontrol-manager", CA: secret[corev1.ServiceAccountRootCAKey], Certificate: secret[corev1.TLSCertKey],
		Key: secret[corev1.TLSPrivateKeyKey], Dialer: s.sessions.opts.Dialer,
	}
	for id := range brokersOf(kc) {
		config.Seeds = append(config.Seeds, fmt.Sprintf("%s:%d", v1beta1.BrokerHost(kc.Namespace, kc.Name, id), v1beta1.ReplicationPort))
	}
	return config
}

// brokersOf are the ids of the nodes with the role broker. Status does not say the role of one that is being removed: it is a
// broker if it drains.
func brokersOf(kc *v1beta1.KafkaCluster) map[int32]bool {
	isBroker := map[string]bool{}
	for _, group := range kc.Spec.BrokerGroups {
		for _, role := range group.Roles {
			isBroker[group.Name] = isBroker[group.Name] || role == v1beta1.RoleBroker
		}
	}
	ids := map[int32]bool{}
	for i := range kc.Spec.Brokers {
		if broker := &kc.Spec.Brokers[i]; isBroker[broker.Group] {
			ids[broker.ID] = true
		}
	}
	for i := range kc.Status.Brokers {
		if broker := &kc.Status.Brokers[i]; broker.Phase == v1beta1.BrokerDraining {
			ids[broker.ID] = true
		}
	}
	return ids
}
