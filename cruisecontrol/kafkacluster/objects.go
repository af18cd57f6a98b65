package kafkacluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	ccclient "koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/cruisecontrol/deployment"
)

// issueSecret makes the credentials and the certificate of the REST API, and makes again what does not fit any more. Cruise
// Control reads them when it starts: a new certificate is a reason for a restart.
func (s *scope) issueSecret(ctx context.Context) error {
	if s.apiData == nil {
		return nil
	}
	isNew := s.secrets.api == nil || !equality.Semantic.DeepEqual(s.secrets.api.Data, s.apiData)
	if !isNew && !s.memory.secrets.readAt.Equal(s.now) {
		return nil
	}
	if _, err := s.memory.apply.Apply(ctx, deployment.APISecret(s.cluster, s.apiData), s.secrets.api); err != nil {
		return s.explain(err)
	}
	if isNew {
		s.memory.secrets = secrets{}
		s.event(corev1.EventTypeNormal, "CredentialsIssued", "Secure", "what Cruise Control's REST API is secured with is in Secret %s", v1beta1.CruiseControlAPISecretName(s.cluster.Name))
	}
	return nil
}

// topicsKnownFor is how long topics count as seen.
const topicsKnownFor = 10 * time.Minute

// createTopics makes the topics that Cruise Control does not start without.
func (s *scope) createTopics(ctx context.Context) error {
	wanted := deployment.Topics(s.cluster)
	if len(wanted) == 0 || s.now.Sub(s.memory.topicsSeen) < topicsKnownFor {
		return nil
	}
	if s.session == nil {
		s.waitForTopics(cmp.Or(s.unanswered, errNoSession))
		return nil
	}
	names := make([]string, len(wanted))
	for i, topic := range wanted {
		names[i] = topic.Name
	}
	existing, err := s.session.Kafka().TopicConfigs(ctx, names)
	for _, topic := range wanted {
		if _, exists := existing[topic.Name]; err == nil && !exists {
			err = s.createTopic(ctx, topic)
		}
	}
	if err != nil {
		s.waitForTopics(err)
		return nil
	}
	s.memory.topicsSeen = s.now
	return nil
}

var errNoSession = errors.New("there is no way to Kafka yet")

// waitForTopics is no failure of the pass: Kafka may not be there yet, or have too few brokers. Cruise Control that runs has
// its topics, or says itself what it lacks.
func (s *scope) waitForTopics(why error) {
	if s.instance == "" {
		s.missing = verdict{reasonKafka, "its topics cannot be made: " + why.Error()}
	}
	s.again(whileWaiting)
}

func (s *scope) createTopic(ctx context.Context, topic deployment.Topic) error {
	err := s.session.Kafka().CreateTopic(ctx, kafka.NewTopic{
		Name: topic.Name, Partitions: topic.Partitions, ReplicationFactor: topic.ReplicationFactor, Config: topic.Config,
	})
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s: %w", topic.Name, err)
	}
	return nil
}

// applyObjects makes what Cruise Control has around it.
func (s *scope) applyObjects(ctx context.Context) error {
	if !deployment.IsManaged(s.cluster) {
		return nil
	}
	return errors.Join(
		s.apply(ctx, deployment.ServiceAccount(s.cluster), live[*corev1.ServiceAccount](s)),
		s.apply(ctx, deployment.NetworkPolicy(s.cluster, s.Namespace), live[*networkingv1.NetworkPolicy](s)),
		s.apply(ctx, deployment.Service(s.cluster), live[*corev1.Service](s)),
		s.apply(ctx, deployment.Budget(s.cluster, s.isBusy()), live[*policyv1.PodDisruptionBudget](s)),
	)
}

func (s *scope) apply(ctx context.Context, wanted runtime.ApplyConfiguration, live client.Object) error {
	_, err := s.memory.apply.Apply(ctx, wanted, live)
	return err
}

// rollOut makes the files and the Deployment of Cruise Control, both or neither. What would restart it waits until it is idle.
func (s *scope) rollOut(ctx context.Context) error {
	if !deployment.IsManaged(s.cluster) {
		return nil
	}
	running := live[*appsv1.Deployment](s)
	switch {
	case s.rollout == nil:
		if s.missing.reason == "" && len(s.failures) == 0 {
			s.missing = verdict{reasonSecret, fmt.Sprintf("there is no Secret %s yet, which broker-manager makes", v1beta1.CruiseControlClientSecretName(s.cluster.Name))}
		}
		s.again(whileWaiting)
		return nil
	case running == nil && s.missing.reason != "":
		return nil // without its topics it would not come up
	case s.rollout.Reason != "":
		isFree, err := s.mayRoll(ctx)
		if err != nil || !isFree {
			return err
		}
	}
	if err := s.apply(ctx, s.rollout.ConfigMap, live[*corev1.ConfigMap](s)); err != nil {
		return err
	}
	if err := s.apply(ctx, s.rollout.Deployment, running); err != nil {
		return err
	}
	if s.rollout.Reason != "" {
		s.event(corev1.EventTypeNormal, "CruiseControlRestarted", "Restart", "Cruise Control is restarted: %s", s.rollout.Reason)
	}
	return nil
}

// mayRoll decides on operations as the API server has them: one that begins just now is not to be lost.
func (s *scope) mayRoll(ctx context.Context) (bool, error) {
	current, err := operationsOf(ctx, s.Reader, s.cluster)
	if err != nil {
		return false, err
	}
	activity := deployment.Activity{
		Runs: s.instance != "", Operation: workedFor(current), Executes: isExecuting(s.answer.Executor), KafkaAnswers: s.kafka != nil,
	}
	if s.kafka != nil {
		activity.Reassignments = len(s.kafka.Reassignments)
	}
	wait, isFree := deployment.MayRoll(activity)
	if !isFree {
		s.held = wait
		s.again(whileWaiting)
	}
	return isFree, nil
}

// workedFor is the name of the operation that Cruise Control works for, if there is one.
func workedFor(operations []*v1beta1.CruiseControlOperation) string {
	for _, op := range operations {
		if deployment.WorksFor(op.Status.Phase) {
			return op.Name
		}
	}
	return ""
}

func isExecuting(executor *ccclient.ExecutorState) bool {
	return executor != nil && executor.Phase != "" && executor.Phase != ccclient.NoTaskInProgress
}

// isBusy tells whether Cruise Control does something that its end would break off.
func (s *scope) isBusy() bool { return workedFor(s.operations) != "" || isExecuting(s.answer.Executor) }

// deleteObjects deletes what Koperator ran for a cluster that has no Cruise Control any more, or one that is somebody else's,
// when no operation is under way.
func (s *scope) deleteObjects(ctx context.Context) error {
	if deployment.IsManaged(s.cluster) {
		return nil
	}
	var ours []client.Object
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if obj := s.objects[key]; s.isOurs(obj) && obj.GetDeletionTimestamp().IsZero() {
			ours = append(ours, obj)
		}
	}
	if len(ours) == 0 {
		return nil
	}
	if op := inFlight(s.operations); op != "" {
		s.missing = verdict{reasonRemoving, fmt.Sprintf("it is not in the spec any more, and stays until operation %s has ended", op)}
		s.again(whileWaiting)
		return nil
	}
	// The Secret goes first: that there is a ServiceAccount is how it is known that there may be one.
	if err := s.deleteSecret(ctx); err != nil {
		return err
	}
	var failures []error
	for _, obj := range ours {
		uid := obj.GetUID()
		if err := s.Client.Delete(ctx, obj, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			failures = append(failures, fmt.Errorf("deleting %T %s: %w", obj, obj.GetName(), err))
		} else if _, isDeployment := obj.(*appsv1.Deployment); isDeployment {
			s.event(corev1.EventTypeNormal, "CruiseControlRemoved", "Remove", "Cruise Control is removed: it is not in the spec any more")
		}
	}
	return errors.Join(failures...)
}

// deleteSecret deletes the Secret of the REST API. Where that is not allowed any more, it goes with the KafkaCluster.
func (s *scope) deleteSecret(ctx context.Context) error {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = s.cluster.Namespace, v1beta1.CruiseControlAPISecretName(s.cluster.Name)
	s.memory.secrets = secrets{}
	if err := s.Client.Delete(ctx, secret); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return fmt.Errorf("deleting secret %s: %w", secret.Name, err)
	}
	return nil
}

// inFlight is the name of an operation that has sent something to Cruise Control and has not ended.
func inFlight(operations []*v1beta1.CruiseControlOperation) string {
	for _, op := range operations {
		switch op.Status.Phase {
		case v1beta1.OperationSubmitting, v1beta1.OperationExecuting, v1beta1.OperationStopping, v1beta1.OperationRecovering,
			v1beta1.OperationCleaning, v1beta1.OperationVerifying:
			return op.Name
		}
	}
	return ""
}
