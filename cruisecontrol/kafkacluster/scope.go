package kafkacluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/grant"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/deployment"
	"koperator.dev/koperator/cruisecontrol/plan"
	"koperator.dev/koperator/cruisecontrol/session"
)

// scope is one pass over one KafkaCluster: what it read, what it found out on its way, and what it will report.
type scope struct {
	*Reconciler
	cluster *v1beta1.KafkaCluster
	memory  *memory
	now     time.Time

	// Read at the start.
	operations []*v1beta1.CruiseControlOperation
	objects    map[string]client.Object
	pods       []*corev1.Pod
	grant      grant.Grant
	secrets    secrets
	// session is nil while there is no way to Kafka yet.
	session  *session.Session
	instance string
	// answer is what Cruise Control said last; its time is zero if it has not answered of late.
	answer session.Snapshot
	// unanswered is why it has not.
	unanswered error
	// kafka is nil if Kafka was not asked, or did not answer.
	kafka   *kafka.Cluster
	logDirs map[int32][]kafka.LogDir

	// Made of it.
	apiData map[string][]byte
	rollout *deployment.Rollout

	// Found out by the steps.
	// missing is what Cruise Control cannot be started without.
	missing verdict
	// held is why a restart of Cruise Control waits; zero if none does.
	held deployment.Wait
	plan plan.Plan

	// To be reported.
	failures     []error
	requeueAfter time.Duration
}

// verdict says in a word and in a sentence how something is; the zero one that nothing is wrong.
type verdict struct {
	reason, message string
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=kafka.koperator.dev,resources=cruisecontroloperations,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;update

// Secrets are read by name and never listed: nobody has to be given the right to read all of them. These rights are
// granted for each namespace that has a KafkaCluster (config/rbac).
// +kubebuilder:rbac:groups="",roleName=koperator-cruisecontrol-manager-secrets,resources=secrets,verbs=get;create;patch;delete

// observe reads everything: what Kubernetes knows, then what Cruise Control and Kafka say. Kafka comes last, so that its answer
// has seen whatever the operations have moved.
func (r *Reconciler) observe(ctx context.Context, cluster *v1beta1.KafkaCluster) (*scope, error) {
	s := &scope{
		Reconciler: r, cluster: cluster, now: r.Clock.Now(), objects: map[string]client.Object{}, requeueAfter: whileAbsent,
	}
	s.memory = r.memory.of(nameOf(cluster), r.Client)
	if err := s.readObjects(ctx); err != nil {
		return nil, err
	}
	var err error
	if s.operations, err = operationsOf(ctx, r.Client, cluster); err != nil {
		return nil, err
	}
	if s.grant, err = grant.Read(ctx, r.Reader, nameOf(cluster)); err != nil {
		return nil, err
	}
	if cluster.Spec.CruiseControl == nil {
		r.Sessions.Forget(nameOf(cluster))
		return s, nil
	}
	s.requeueAfter = whileIdle
	s.readSecrets(ctx)
	s.planRollout()
	s.askCruiseControl(ctx)
	s.askKafka(ctx)
	return s, nil
}

func nameOf(cluster *v1beta1.KafkaCluster) types.NamespacedName {
	return types.NamespacedName{Namespace: cluster.Namespace, Name: cluster.Name}
}

// readObjects lists what belongs to Cruise Control. The objects are shared with the cache and never written to.
func (s *scope) readObjects(ctx context.Context) error {
	for _, list := range []client.ObjectList{
		&corev1.PodList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &corev1.ServiceAccountList{}, &appsv1.DeploymentList{},
		&policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{},
	} {
		labels := client.MatchingLabels{v1beta1.LabelCluster: s.cluster.Name, v1beta1.LabelComponent: v1beta1.ComponentCruiseControl}
		if err := s.Client.List(ctx, list, client.InNamespace(s.cluster.Namespace), labels, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("listing %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			switch obj := item.(type) {
			case *corev1.Pod:
				s.pods = append(s.pods, obj)
			case client.Object:
				s.objects[objectKey(obj)] = obj
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading %T: %w", list, err)
		}
	}
	return nil
}

func objectKey(obj client.Object) string { return fmt.Sprintf("%T/%s", obj, obj.GetName()) }

// live is the object of a kind that Cruise Control has, as the cache has it; nil if it has none.
func live[T client.Object](s *scope) T {
	var kind T
	obj, _ := s.objects[fmt.Sprintf("%T/%s", kind, v1beta1.CruiseControlName(s.cluster.Name))].(T)
	return obj
}

// isOurs tells whether an object was made for this very KafkaCluster.
func (s *scope) isOurs(obj client.Object) bool { return metav1.IsControlledBy(obj, s.cluster) }

// operationsOf are the operations of a cluster, by name. People's have no label.
func operationsOf(ctx context.Context, reader client.Reader, cluster *v1beta1.KafkaCluster) ([]*v1beta1.CruiseControlOperation, error) {
	list := &v1beta1.CruiseControlOperationList{}
	if err := reader.List(ctx, list, client.InNamespace(cluster.Namespace)); err != nil {
		return nil, fmt.Errorf("listing operations: %w", err)
	}
	var operations []*v1beta1.CruiseControlOperation
	for i := range list.Items {
		if list.Items[i].Spec.ClusterRef.Name == cluster.Name {
			operations = append(operations, &list.Items[i])
		}
	}
	slices.SortFunc(operations, func(a, b *v1beta1.CruiseControlOperation) int { return cmp.Compare(a.Name, b.Name) })
	return operations, nil
}

// secretsKnownFor is how long Secrets count as seen, which only a request can tell.
const secretsKnownFor = time.Minute

// readSecrets reads what Cruise Control runs with, and makes what is missing of its own.
func (s *scope) readSecrets(ctx context.Context) {
	if !deployment.IsManaged(s.cluster) {
		return
	}
	s.secrets = s.memory.secrets
	if s.secrets.api == nil || s.secrets.client == nil || s.now.Sub(s.secrets.readAt) >= secretsKnownFor {
		s.secrets = secrets{readAt: s.now}
		api, err := s.secret(ctx, v1beta1.CruiseControlAPISecretName(s.cluster.Name))
		if err != nil {
			_ = s.fail(err)
			return
		}
		client, err := s.secret(ctx, v1beta1.CruiseControlClientSecretName(s.cluster.Name))
		if err != nil {
			_ = s.fail(err)
			return
		}
		s.secrets.api = api
		if client != nil {
			s.secrets.client = client.Data
		}
		s.memory.secrets = s.secrets
	}
	var have map[string][]byte
	if s.secrets.api != nil {
		have = s.secrets.api.Data
	}
	data, err := deployment.APISecretData(s.cluster, have, s.now, rand.Reader)
	if err != nil {
		_ = s.fail(err)
		return
	}
	s.apiData = data
}

// secret reads a Secret; nil if there is none.
func (s *scope) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.Reader.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, s.explain(fmt.Errorf("reading secret %s: %w", name, err))
	}
	return secret, nil
}

// planRollout decides what Cruise Control should run from. Without its Secrets nobody knows.
func (s *scope) planRollout() {
	if s.apiData == nil || s.secrets.client == nil {
		return
	}
	rollout, err := deployment.Plan(s.cluster, deployment.Input{
		ConfigMap: live[*corev1.ConfigMap](s), Deployment: live[*appsv1.Deployment](s),
		Secrets: deployment.HashSecrets(s.secrets.client, s.apiData),
	})
	if err != nil {
		_ = s.fail(withReason(reasonSpec, err))
		return
	}
	s.rollout = rollout
}

// isRestartPending tells whether Cruise Control should run from something else than it does.
func (s *scope) isRestartPending() bool { return s.rollout != nil && s.rollout.Reason != "" }

const (
	// pollEvery is how often Cruise Control is asked while nobody wants to know more.
	pollEvery = 30 * time.Second
	// answerGoodFor is how long it counts as ready after its last answer: a single question may fail.
	answerGoodFor = 90 * time.Second
	// answerFresh is how old an answer may be that lets it be restarted.
	answerFresh = 2 * time.Second
)

// askCruiseControl opens the way to Kafka and Cruise Control, and reads what the shared poller has heard of it.
func (s *scope) askCruiseControl(ctx context.Context) {
	opened, err := s.Sessions.For(ctx, s.cluster)
	if opened != nil {
		opened.Want("kafkacluster", session.Interest{Every: pollEvery, Monitor: true})
	}
	if s.instance, s.unanswered = s.Sessions.Instance(ctx, s.cluster); s.unanswered != nil {
		return
	}
	if err != nil {
		s.unanswered = err
		return
	}
	s.session = opened
	last := opened.Last()
	if s.isRestartPending() && s.instance != "" {
		last = opened.Look(ctx, answerFresh, session.Interest{Monitor: true})
	}
	if s.unanswered = last.Err; last.Err == nil && !last.At.IsZero() {
		s.memory.answer = last
	}
	if answer := s.memory.answer; answer.Instance == s.instance && s.now.Sub(answer.At) <= answerGoodFor {
		s.answer = answer
	}
}

// askKafka asks Kafka what the plan has to know, and regularly for disks that have failed.
func (s *scope) askKafka(ctx context.Context) {
	questions := plan.QuestionsOf(s.planFacts())
	isDue := s.now.Sub(s.memory.describedAt) >= whileIdle
	if s.session == nil || !questions.Kafka && !isDue && !s.isRestartPending() {
		return
	}
	described, err := s.session.Kafka().Describe(ctx)
	if err != nil {
		s.again(whileWaiting)
		return // the plan says what waits for it
	}
	s.kafka, s.memory.describedAt = &described, s.now
	s.noteOffline()
	if len(questions.LogDirs) > 0 {
		// Of brokers that do not answer nothing is known, as the plan expects.
		s.logDirs, _ = s.session.Kafka().LogDirs(ctx, questions.LogDirs)
	}
}

// noteOffline keeps since when replicas have been offline on brokers that serve.
func (s *scope) noteOffline() {
	switch {
	case !plan.HasOffline(s.planFacts()):
		s.memory.offlineSince = time.Time{}
	case s.memory.offlineSince.IsZero():
		s.memory.offlineSince = s.now
	}
}

func (s *scope) planFacts() plan.Facts {
	return plan.Facts{
		Cluster: s.cluster, Operations: s.operations, Kafka: s.kafka, LogDirs: s.logDirs, OfflineSince: s.memory.offlineSince,
		Settled: s.memory.settled, Now: s.now,
	}
}
