package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	cc "koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/cruisecontrol/deployment"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
	"koperator.dev/koperator/cruisecontrol/session"
)

// read returns an operation as it is: what the cache has is not believed if it is older than our own last write, or if this
// process has not written it yet.
func (r *Reconciler) read(ctx context.Context, name types.NamespacedName) (*v1beta1.CruiseControlOperation, error) {
	op := &v1beta1.CruiseControlOperation{}
	if err := r.client.Get(ctx, name, op); err != nil {
		return nil, err
	}
	if machine.IsTemplate(op) || r.isOver(op) {
		return op, nil
	}
	if version, known := r.memory.version(name); known {
		order, err := resourceversion.CompareResourceVersion(op.ResourceVersion, version)
		if err == nil && order >= 0 {
			return op, nil
		}
	}
	op = &v1beta1.CruiseControlOperation{}
	return op, r.reader.Get(ctx, name, op)
}

// observe reads all that matters for where the operation is.
func (r *Reconciler) observe(ctx context.Context, op *v1beta1.CruiseControlOperation) (*scope, error) {
	s := &scope{Reconciler: r, written: *op.Status.DeepCopy(), facts: machine.Facts{Operation: op, Now: r.clock.Now()}}
	known := r.memory.of(op)
	s.facts.Granted = known.granted
	if err := s.readRecord(ctx, known); err != nil {
		return nil, err
	}
	if err := s.readCluster(ctx); err != nil {
		return nil, err
	}
	if err := s.readTurn(ctx); err != nil {
		return nil, err
	}
	needs := machine.NeedsOf(op, s.facts.Record)
	s.connect(ctx, needs)
	s.askKafka(ctx, needs)
	s.askCruiseControl(ctx, needs)
	s.noteChanges()
	s.facts.Now = r.clock.Now()
	return s, nil
}

// readCluster reads the KafkaCluster. That there is none, or none with Cruise Control, is a fact like others.
func (s *scope) readCluster(ctx context.Context) error {
	kc := &v1beta1.KafkaCluster{}
	err := s.client.Get(ctx, s.clusterName(), kc)
	switch {
	case apierrors.IsNotFound(err):
		s.facts.Cluster = machine.Cluster{Gone: true, Problem: fmt.Sprintf("there is no KafkaCluster %s in this namespace: make it, or correct clusterRef in another operation", s.clusterName().Name)}
		return nil
	case err != nil:
		return fmt.Errorf("reading KafkaCluster: %w", err)
	case kc.Spec.CruiseControl == nil:
		s.facts.Cluster.Problem = fmt.Sprintf("KafkaCluster %s has no Cruise Control: set spec.cruiseControl", kc.Name)
		return nil
	}
	s.cluster = kc
	if s.facts.Cluster.Instance, err = s.sessions.Instance(ctx, kc); err != nil {
		return err
	}
	s.facts.Cluster.Destinations = staying(kc)
	s.facts.Cluster.LeavingDisks = leavingDisks(kc)
	return s.readFiles(ctx)
}

// readFiles finds out whether Cruise Control runs with the capacities and properties that it should plan with.
func (s *scope) readFiles(ctx context.Context) error {
	if !deployment.IsManaged(s.cluster) {
		return nil
	}
	files := &corev1.ConfigMap{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: v1beta1.CruiseControlName(s.cluster.Name)}, files)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	s.facts.Cluster.Outdated = deployment.Outdated(s.cluster, files)
	return nil
}

// staying are the brokers of the spec that are not being removed.
func staying(kc *v1beta1.KafkaCluster) []int32 {
	isBroker := map[string]bool{}
	for i := range kc.Spec.BrokerGroups {
		group := &kc.Spec.BrokerGroups[i]
		isBroker[group.Name] = slices.Contains(group.Roles, v1beta1.RoleBroker)
	}
	leaving := map[int32]bool{}
	for i := range kc.Status.Brokers {
		b := &kc.Status.Brokers[i]
		leaving[b.ID] = b.Phase == v1beta1.BrokerDraining || b.Phase == v1beta1.BrokerRemoving
	}
	var ids []int32
	for i := range kc.Spec.Brokers {
		if b := &kc.Spec.Brokers[i]; isBroker[b.Group] && !leaving[b.ID] {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

// leavingDisks are the disks that are being emptied, of brokers that stay.
func leavingDisks(kc *v1beta1.KafkaCluster) []string {
	var disks []string
	for i := range kc.Status.Brokers {
		b := &kc.Status.Brokers[i]
		if b.Phase == v1beta1.BrokerDraining || b.Phase == v1beta1.BrokerRemoving {
			continue
		}
		for _, volume := range b.Volumes {
			if volume.Phase == v1beta1.VolumeDraining || volume.Phase == v1beta1.VolumeRemoving {
				disks = append(disks, fmt.Sprintf("disk %s of broker %d", volume.Path, b.ID))
			}
		}
	}
	return disks
}

// readTurn finds out whose turn it is. The operation itself is as it was just read.
func (s *scope) readTurn(ctx context.Context) error {
	if s.op().Status.Phase.IsFinished() {
		return nil
	}
	all, err := s.operationsOf(ctx, s.clusterName())
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Name == s.op().Name {
			all[i] = *s.op()
		}
	}
	queue := machine.Queue(all, s.facts.Cluster.LeavingDisks, s.facts.Now)
	s.facts.Turn = machine.TurnOf(s.op().Name, s.op().Spec.DryRun, queue)
	return nil
}

// operationsOf are the operations of a cluster, shared with the cache and not to be changed.
func (r *Reconciler) operationsOf(ctx context.Context, cluster types.NamespacedName) ([]v1beta1.CruiseControlOperation, error) {
	list := &v1beta1.CruiseControlOperationList{}
	if err := r.client.List(ctx, list, client.InNamespace(cluster.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing operations: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(op v1beta1.CruiseControlOperation) bool { return op.Spec.ClusterRef.Name != cluster.Name }), nil
}

var errNoCluster = errors.New("the KafkaCluster cannot be used")

// connect makes the session, if something has to be asked.
func (s *scope) connect(ctx context.Context, needs machine.Needs) {
	if s.cluster == nil || (!needs.Kafka && !needs.CruiseControl) {
		s.facts.KafkaError, s.facts.Seen.Err = errNoCluster, errNoCluster
		if s.cluster != nil {
			s.facts.KafkaError, s.facts.Seen.Err = nil, nil
		}
		return
	}
	session, err := s.sessions.For(ctx, s.cluster)
	if err != nil {
		s.facts.KafkaError, s.facts.Seen.Err, s.facts.Seen.At = err, err, s.facts.Now
		return
	}
	s.session = session
}

// askKafka asks what is needed. That it does not answer is a fact.
func (s *scope) askKafka(ctx context.Context, needs machine.Needs) {
	if s.session == nil || !needs.Kafka {
		return
	}
	s.describeKafka(ctx)
	if s.facts.Kafka == nil {
		return
	}
	if needs.Throttles {
		s.readThrottles(ctx)
	}
	brokers := needs.LogDirs
	if needs.AllLogDirs {
		brokers = serving(s.facts.Kafka)
	}
	if len(brokers) > 0 {
		s.facts.LogDirs, s.facts.LogDirsError = s.session.Kafka().LogDirs(ctx, brokers)
		if s.facts.LogDirsError != nil && needs.AllLogDirs {
			s.facts.LogDirs = nil // one that is missing may still move something
		}
	}
}

func (s *scope) describeKafka(ctx context.Context) {
	s.facts.Kafka, s.facts.KafkaError = nil, nil
	cluster, err := s.session.Kafka().Describe(ctx)
	if err != nil {
		s.facts.KafkaError = err
		return
	}
	s.facts.Kafka = &cluster
}

// serving are the brokers that are not fenced.
func serving(cluster *kafka.Cluster) []int32 {
	var ids []int32
	for _, id := range slices.Sorted(maps.Keys(cluster.Brokers)) {
		if !cluster.Brokers[id].Fenced {
			ids = append(ids, id)
		}
	}
	return ids
}

// askCruiseControl looks at what it said last, or asks.
func (s *scope) askCruiseControl(ctx context.Context, needs machine.Needs) {
	if s.session == nil || !needs.CruiseControl {
		return
	}
	wanted := session.Interest{Monitor: needs.Monitor}
	if needs.Task != "" {
		wanted.Tasks = []cc.TaskID{needs.Task}
	}
	seen := s.session.Look(ctx, needs.MaxAge, wanted)
	s.facts.Seen = machine.Seen{
		At: seen.At, Instance: seen.Instance, Executor: seen.Executor, Monitor: seen.Monitor, Asked: needs.Task, Task: seen.Task(needs.Task),
		Complete: seen.Tasks.Complete, Err: seen.Err,
	}
}

// noteChanges remembers when the cluster changed.
func (s *scope) noteChanges() {
	var executing *bool
	if e := s.facts.Seen.Executor; e != nil {
		is := e.Phase != cc.NoTaskInProgress
		executing = &is
	}
	s.facts.ChangedAt = s.memory.cluster(s.clusterName()).see(s.facts.Kafka, executing, s.facts.Now)
}

// want says what Cruise Control is to be asked from now on.
func (s *scope) want() {
	if s.session == nil {
		return
	}
	needs := machine.NeedsOf(s.op(), s.facts.Record)
	interest := session.Interest{Every: needs.Every, Monitor: needs.Monitor}
	if needs.Task != "" {
		interest.Tasks = []cc.TaskID{needs.Task}
	}
	if s.op().Status.Phase.IsFinished() {
		interest = session.Interest{}
	}
	s.session.Want(string(s.op().UID), interest)
}

// forget lets go of what is known of an operation that does not exist any more.
func (r *Reconciler) forget(name types.NamespacedName) {
	if known := r.memory.forget(name); known != nil {
		r.sessions.Drop(known.cluster, string(known.uid))
	}
	forgetMetrics(name)
}

// done shows an operation that there is nothing to do for, and lets go of what is known of it.
func (r *Reconciler) done(op *v1beta1.CruiseControlOperation) {
	if known := r.memory.forget(client.ObjectKeyFromObject(op)); known != nil {
		r.sessions.Drop(known.cluster, string(known.uid))
	}
	setMetrics(op)
}

// sinceWritten is how long ago status was written.
func (s *scope) sinceWritten() time.Duration {
	return s.clock.Now().Sub(s.memory.of(s.op()).writtenAt)
}
