package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers/internal/desired"
)

// askKafka reads brokers, partitions and quorum, once for the whole pass. That Kafka cannot be asked is a fact like
// others and no failure of the pass: repair goes on, and nothing disruptive is planned.
func (s *scope) askKafka(ctx context.Context) error {
	if !s.anyoneReady() {
		s.kafkaErr = errors.New("no node is ready yet")
		return nil
	}
	if s.memory.admin == nil || s.memory.authority == nil {
		s.kafkaErr = errors.New("broker-manager has no certificate yet")
		return nil
	}
	admin, err := s.kafka.For(s.name().String(), s.kafkaConfig())
	if err != nil {
		return fmt.Errorf("making the client: %w", err)
	}
	s.admin = admin
	cluster, err := admin.Describe(ctx)
	if err == nil && cluster.ID != s.clusterID {
		s.kafkaErr = fmt.Errorf("the brokers belong to the Kafka cluster %s, and the disks to %s", cluster.ID, s.clusterID)
		return nil
	}
	if err == nil {
		s.kafkaCluster = &cluster
	}
	quorum, quorumErr := admin.Quorum(ctx)
	if quorumErr == nil {
		s.quorum = &quorum
	}
	s.kafkaErr = errors.Join(err, quorumErr)
	return nil
}

func (s *scope) anyoneReady() bool {
	for _, m := range s.members {
		if isReady(m.pod) {
			return true
		}
	}
	return false
}

func (s *scope) kafkaConfig() kafka.Config {
	config := kafka.Config{
		ClientID:    "koperator-broker-manager",
		CA:          s.memory.authority.CertificatePEM,
		Certificate: s.memory.admin.CertificatePEM,
		Key:         s.memory.admin.KeyPEM,
	}
	for _, m := range s.members {
		host := v1beta1.BrokerHost(s.cluster.Namespace, s.cluster.Name, m.id)
		if m.broker {
			config.Seeds = append(config.Seeds, fmt.Sprintf("%s:%d", host, v1beta1.ReplicationPort))
		}
		if m.controller {
			config.Controllers = append(config.Controllers, fmt.Sprintf("%s:%d", host, desired.ControllerPort))
		}
	}
	return config
}

func (s *scope) kafkaMessage() string {
	if s.kafkaErr == nil {
		return "Kafka was not asked"
	}
	return "Kafka could not be asked: " + s.kafkaErr.Error()
}

// quorumMessage says why there is no quorum, and names the controllers that do not run with what is wrong with them.
func (s *scope) quorumMessage() string {
	message := s.kafkaMessage()
	if s.quorum != nil {
		message = fmt.Sprintf("the %d voters have no leader: a majority of them must run and reach one another", len(s.quorum.Voters))
	}
	var missing []string
	for _, m := range s.members {
		if m.controller && m.health.reason != reasonHealthy {
			missing = append(missing, fmt.Sprintf("%d (%s)", m.id, m.health.reason))
		}
	}
	if len(missing) > 0 {
		message += "; controllers that do not run: " + strings.Join(missing, ", ")
	}
	return message
}
