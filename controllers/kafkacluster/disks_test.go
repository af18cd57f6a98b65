package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/apis/machinery/kafka/kafkafake"
	"koperator.dev/koperator/controllers/internal/desired"
	"koperator.dev/koperator/controllers/internal/storage"
)

const (
	diskA = "/var/lib/kafka/a"
	diskB = "/var/lib/kafka/b"
)

var payments = kafka.TopicPartition{Topic: "payments"}

// turn is a pass, and what the world makes of it: Pods that are to stop are gone, also for Kafka, and those that were made
// run with the disks that they have.
func (w *world) turn() {
	w.Helper()
	if _, err := w.tryPass("orders"); errors.Is(err, errCrash) {
		w.restart()
	} else {
		w.must(err)
	}
	for _, name := range w.stopping() {
		w.stopInKafka(name)
	}
	w.play()
	w.finishClaims()
	w.playDisks()
}

func (w *world) turns(n int) {
	w.Helper()
	for range n {
		w.turn()
	}
}

// playDisks makes the brokers whose Pods run serve, with a log directory on each of their disks. What is on a disk stays
// there.
func (w *world) playDisks() {
	w.Helper()
	pods := &corev1.PodList{}
	w.must(w.client.List(w, pods, client.InNamespace(w.namespace), client.MatchingLabels{v1beta1.LabelBroker: "true"}))
	for i := range pods.Items {
		pod := &pods.Items[i]
		if !isReady(pod) {
			continue
		}
		id := idOf(pod.Name)
		w.kafka.Edit(func(s *kafkafake.State) {
			var dirs []kafka.LogDir
			for _, m := range pod.Spec.Containers[0].VolumeMounts {
				if !strings.HasPrefix(m.Name, "disk-") {
					continue
				}
				dir := kafka.LogDir{Path: v1beta1.LogDir(m.MountPath)}
				if at := slices.IndexFunc(s.LogDirs[id], func(d kafka.LogDir) bool { return d.Path == dir.Path }); at >= 0 {
					dir = s.LogDirs[id][at]
				}
				cordoned := s.Configs[id][cordonedLogDirs]
				dir.Cordoned = cordoned == "*" || slices.Contains(strings.Split(cordoned, ","), dir.Path)
				dirs = append(dirs, dir)
			}
			s.LogDirs[id] = dirs
		})
		w.kafka.Start(id)
	}
}

// setDisks makes these the disks of a broker that its group does not have.
func (w *world) setDisks(id int32, paths ...string) {
	w.Helper()
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		for i := range spec.Brokers {
			if spec.Brokers[i].ID != id {
				continue
			}
			spec.Brokers[i].Storage = nil
			for _, path := range paths {
				spec.Brokers[i].Storage = append(spec.Brokers[i].Storage, v1beta1.Storage{Path: path, Size: resource.MustParse("1Gi")})
			}
		}
	})
}

// withSecondDisk is started, broker 102 with one disk more.
func (w *world) withSecondDisk() {
	w.Helper()
	w.started()
	w.setDisks(102, diskB)
	w.turns(8)
	if !mounts(w.pod("orders-102"), diskB) || w.cluster("orders").Status.Summary.Rollout != "" {
		w.Fatalf("the disk is not there: %+v", w.cluster("orders").Status)
	}
}

// place puts the one replica of payments on a disk of broker 102, as a move between its disks would.
func (w *world) place(path string) {
	w.kafka.Edit(func(s *kafkafake.State) {
		if !slices.ContainsFunc(s.Partitions, func(p kafka.Partition) bool { return p.Topic == payments.Topic }) {
			s.Partitions = append(s.Partitions, kafka.Partition{Topic: payments.Topic, Leader: 102, Replicas: []int32{102}, ISR: []int32{102}})
		}
		dirs := slices.Clone(s.LogDirs[102])
		for i := range dirs {
			dirs[i].Replicas, dirs[i].Partitions = 0, nil
			if dirs[i].Path == v1beta1.LogDir(path) {
				dirs[i].Replicas, dirs[i].Partitions = 1, []kafka.TopicPartition{payments}
			}
		}
		s.LogDirs[102] = dirs
	})
}

// volume is a disk of broker 102 in status; the zero value when there is none.
func (w *world) volume(path string) v1beta1.VolumeStatus {
	w.Helper()
	for _, v := range w.brokerStatus("orders", 102).Volumes {
		if v.Path == path {
			return v
		}
	}
	return v1beta1.VolumeStatus{}
}

func (w *world) claimOf(path string) *corev1.PersistentVolumeClaim {
	w.Helper()
	claim := &corev1.PersistentVolumeClaim{}
	if !w.exists(desired.ClaimName("orders", 102, path), claim) {
		return nil
	}
	return claim
}

// blocked is the reason that something waits for, empty if it does not wait.
func (w *world) blocked(what string) string {
	w.Helper()
	for _, b := range w.cluster("orders").Status.BlockedBy {
		if b.What == what {
			return b.Reason
		}
	}
	return ""
}

// A disk that the spec no longer has is cordoned, kept while it holds a replica, left out by one restart of this broker
// alone, and deleted.
func TestDiskIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	w.setDisks(102)
	before := w.pods()
	w.turns(4)
	if v := w.volume(diskB); v.Phase != v1beta1.VolumeDraining || w.blocked("removal of /var/lib/kafka/b of broker 102") != storage.CodeReplicas {
		t.Fatalf("the disk does not drain: %+v, %+v", v, w.cluster("orders").Status.BlockedBy)
	}
	if got := w.dynamic(102)[cordonedLogDirs]; got != v1beta1.LogDir(diskB) {
		t.Errorf("cordoned are %q", got)
	}
	if now := w.pods(); now["orders-102"] != before["orders-102"] || w.claimOf(diskB) == nil {
		t.Fatal("a disk with a replica was taken away")
	}

	w.place(diskA)
	w.pass("orders")
	if v := w.volume(diskB); v.Phase != v1beta1.VolumeRemoving {
		t.Errorf("the disk is not shown as being removed: %+v", v)
	}
	if reason := w.brokerStatus("orders", 102).RestartReason; !strings.Contains(reason, "volume /var/lib/kafka/b removed") {
		t.Errorf("the broker is to be restarted because %q", reason)
	}
	w.turns(6)
	if w.claimOf(diskB) != nil || w.volume(diskB).Path != "" || mounts(w.pod("orders-102"), diskB) {
		t.Fatalf("the disk is still there: %+v, %+v", w.volume(diskB), w.cluster("orders").Status.BlockedBy)
	}
	if got, set := w.dynamic(102)[cordonedLogDirs]; set {
		t.Errorf("the cordon of a directory that is gone stays: %q", got)
	}
	after := w.pods()
	restarted := after["orders-102"]
	for name, uid := range after {
		if name != "orders-102" && uid != before[name] {
			t.Errorf("%s was restarted too", name)
		}
	}
	w.turns(3)
	if w.pod("orders-102").UID != restarted || w.claimOf(diskA) == nil {
		t.Error("the broker does not just run on")
	}
}

// Nothing that an operation of Cruise Control says, or that becomes of it, is a proof.
func TestOperationsProveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	w.kafka.AddTopic("orders", 1, []int32{101, 100})
	w.setDisks(102)
	w.edit("orders", dropBroker(101))
	w.turns(2)
	broker, claim := w.pod("orders-101").UID, w.claimOf(diskB).UID
	unmoved := func(when string) {
		t.Helper()
		w.turns(3)
		if w.pod("orders-101").UID != broker || !mounts(w.pod("orders-102"), diskB) || w.claimOf(diskB).UID != claim {
			t.Fatalf("%s: something that holds replicas was taken away", when)
		}
	}
	for _, phase := range []v1beta1.OperationPhase{v1beta1.OperationSucceeded, v1beta1.OperationFailed} {
		operation := &v1beta1.CruiseControlOperation{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "remove-" + strings.ToLower(string(phase))},
			Spec: v1beta1.CruiseControlOperationSpec{
				ClusterRef: v1beta1.ClusterReference{Name: "orders"}, Type: v1beta1.RemoveBrokers, Brokers: []int32{101},
			},
		}
		w.must(w.client.Create(w, operation))
		operation.Status.Phase = phase
		w.must(w.client.Status().Update(w, operation))
		unmoved(string(phase))
		w.must(w.client.Delete(w, operation))
		unmoved("deleted after " + string(phase))
	}
}

// A disk that is put back before the restart is just kept, and no longer cordoned.
func TestDiskIsPutBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	before := w.pods()
	claim := w.claimOf(diskB).UID
	w.setDisks(102)
	w.turns(2)
	w.setDisks(102, diskB)
	w.turns(3)
	if now := w.pods(); now["orders-102"] != before["orders-102"] || w.claimOf(diskB).UID != claim || w.volume(diskB).Phase != v1beta1.VolumeActive {
		t.Errorf("the broker does not just go on: %+v", w.brokerStatus("orders", 102))
	}
	if got, set := w.dynamic(102)[cordonedLogDirs]; set {
		t.Errorf("the cordon stays: %q", got)
	}
}

// A path that comes back after the restart is a new, blank disk.
func TestPathComesBackBlank(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskA)
	claim, life, disk := w.claimOf(diskB).UID, w.brokerStatus("orders", 102).Incarnation, w.volume(diskB).Incarnation
	w.setDisks(102)
	for range 10 {
		if w.turn(); w.claimOf(diskB) == nil || w.claimOf(diskB).Annotations[v1beta1.AnnotationReleased] != "" {
			break
		}
	}
	w.setDisks(102, diskB)
	w.turns(12)
	after := w.claimOf(diskB)
	if after == nil || after.UID == claim || !mounts(w.pod("orders-102"), diskB) || w.volume(diskB).Phase != v1beta1.VolumeActive {
		t.Fatalf("the path has no new disk: %+v, %+v", after, w.cluster("orders").Status.BlockedBy)
	}
	if now := w.volume(diskB).Incarnation; now == disk || now == "" {
		t.Errorf("the disk's incarnation was %s and is %s", disk, now)
	}
	if now := w.brokerStatus("orders", 102).Incarnation; now != life || now == "" {
		t.Errorf("the broker's incarnation was %s and is %s", life, now)
	}
}

// A Pod that is lost before the disk is proven empty comes back with it, whatever status remembers.
func TestLostPodComesBackWithItsDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	w.setDisks(102)
	w.turns(2)
	w.dropStatus("orders")
	w.restart()
	w.kafka.SetDown(true)
	w.remove(w.pod("orders-102"))
	w.turns(2)
	if pod := w.pod("orders-102"); !mounts(pod, diskB) || !isReady(pod) {
		t.Fatal("the Pod was made without a disk that holds a replica")
	}

	// Also when it is empty, and the broker was just not restarted without it yet: a replica may have come meanwhile.
	w.kafka.SetDown(false)
	w.holdGrant("move-data")
	w.place(diskA)
	w.turns(2)
	if w.blocked("restart of broker 102") != reasonDisruption {
		t.Fatalf("the restart does not wait: %+v", w.cluster("orders").Status.BlockedBy)
	}
	w.remove(w.pod("orders-102"))
	w.pass("orders")
	if !mounts(w.pod("orders-102"), diskB) {
		t.Fatal("the Pod was made without a disk that nobody has asked Kafka about since")
	}
}

// late is a Kafka in which a replica arrives when somebody has just looked.
type late struct {
	kafka.Admin
	looked *int
	arrive func()
}

func (l late) LogDirs(ctx context.Context, ids []int32) (map[int32][]kafka.LogDir, error) {
	if *l.looked++; *l.looked == 2 {
		l.arrive()
	}
	return l.Admin.LogDirs(ctx, ids)
}

func TestReplicaArrivesJustBeforeTheRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	w.setDisks(102)
	w.turns(2)
	uid := w.pod("orders-102").UID
	w.place(diskA)
	looked := 0
	w.ask = func(admin kafka.Admin) kafka.Admin { return late{admin, &looked, func() { w.place(diskB) }} }
	w.turn()
	if looked != 2 {
		t.Fatalf("it was looked %d times", looked)
	}
	if w.pod("orders-102").UID != uid || !mounts(w.pod("orders-102"), diskB) {
		t.Fatal("the broker was restarted without a disk that holds a replica")
	}
	w.turns(2)
	if w.volume(diskB).Phase != v1beta1.VolumeDraining {
		t.Errorf("got %+v", w.volume(diskB))
	}
}

// A disk that has died goes when all that the broker should have is on its other disks.
func TestDeadDiskIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	w.kafka.Edit(func(s *kafkafake.State) {
		dirs := slices.Clone(s.LogDirs[102])
		for i := range dirs {
			if dirs[i].Path == v1beta1.LogDir(diskB) {
				dirs[i] = kafka.LogDir{Path: dirs[i].Path, Err: kerr.KafkaStorageError}
			}
		}
		s.LogDirs[102] = dirs
	})
	w.setDisks(102)
	w.turns(4)
	if w.blocked("removal of /var/lib/kafka/b of broker 102") != storage.CodeDiskFailed || w.claimOf(diskB) == nil {
		t.Fatalf("blocked by %+v", w.cluster("orders").Status.BlockedBy)
	}
	w.place(diskA)
	w.turns(6)
	if w.claimOf(diskB) != nil || mounts(w.pod("orders-102"), diskB) {
		t.Errorf("the disk is still there: %+v", w.cluster("orders").Status.BlockedBy)
	}
}

// A disk that cannot be emptied stops nothing else: not the disk of another broker, not a rollout, not a removal.
func TestStuckDiskStopsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	w.setDisks(102)
	w.setDisks(101, diskB)
	w.turns(6)
	w.setDisks(101)
	w.edit("orders", setConfig("num.io.threads", "4"))
	w.edit("orders", dropBroker(100))
	w.turns(30)
	if w.exists(desired.ClaimName("orders", 101, diskB), &corev1.PersistentVolumeClaim{}) {
		t.Error("the disk of another broker waits")
	}
	if w.exists("orders-100", &corev1.Pod{}) {
		t.Error("a broker that is empty waits")
	}
	if rollout := w.cluster("orders").Status.Summary.Rollout; rollout != "" {
		t.Errorf("a rollout waits: %s", rollout)
	}
	if !mounts(w.pod("orders-102"), diskB) || w.claimOf(diskB) == nil {
		t.Error("the disk with a replica is gone")
	}
}

// Kafka does not start when its metadata log is on another disk than it is told.
func TestMetadataLogKeepsItsDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	first := "metadata.log.dir=" + v1beta1.LogDir(diskA) + "\n"
	w.edit("orders", func(spec *v1beta1.KafkaClusterSpec) {
		spec.BrokerGroups[1].Storage = []v1beta1.Storage{{Path: diskB, Size: resource.MustParse("10Gi")}}
		spec.Config = v1beta1.Config{"num.io.threads": "4"}
	})
	w.turns(30)
	config := get(w, "orders-102", &corev1.ConfigMap{}).Data["server.properties"]
	if !strings.Contains(config, first) || !strings.Contains(config, "num.io.threads=4") {
		t.Errorf("the metadata log has moved, or the broker was not restarted:\n%s", config)
	}
	if w.blocked("removal of /var/lib/kafka/a of broker 102") != storage.CodeMetadataLog || w.claimOf(diskA) == nil {
		t.Errorf("blocked by %+v", w.cluster("orders").Status.BlockedBy)
	}
	if phase, got := w.volume(diskA).Phase, w.dynamic(102)[cordonedLogDirs]; phase != v1beta1.VolumeActive || got != "" {
		t.Errorf("a disk that stays is %s, and cordoned are %q", phase, got)
	}
}

// A mark that is older than the Pod which has the disk now proves nothing.
func TestOldMarkIsVoid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withSecondDisk()
	w.place(diskB)
	w.setDisks(102)
	w.turn()
	claim := w.claimOf(diskB)
	claim.Annotations[v1beta1.AnnotationReleased] = "another-pod"
	w.must(w.client.Update(w, claim))
	uid := w.pod("orders-102").UID
	w.turns(3)
	if w.pod("orders-102").UID != uid || w.claimOf(diskB) == nil || w.claimOf(diskB).Annotations[v1beta1.AnnotationReleased] != "" {
		t.Errorf("the mark is believed: %+v", w.claimOf(diskB))
	}
}

// broker-manager may die before and after every write of the removal of a disk: no replica is lost, and the disk goes.
func TestCrashAtEveryWriteOfADisksRemoval(t *testing.T) {
	t.Parallel()
	removal := func(t *testing.T, crash *crasher) {
		t.Helper()
		w := newWorld(t)
		w.withSecondDisk()
		w.place(diskB)
		w.setDisks(102)
		w.turns(3)
		w.crash = crash
		w.restart()
		w.place(diskA)
		w.turns(14)
		if w.claimOf(diskB) != nil || mounts(w.pod("orders-102"), diskB) || w.claimOf(diskA) == nil {
			t.Errorf("the disk is still there: %+v", w.cluster("orders").Status)
		}
		if got := w.cluster("orders").Status.Disruption; got != nil {
			t.Errorf("the grant is not given back: %+v", got)
		}
		if v := w.kafka.Violations(); len(v) > 0 {
			t.Error(v)
		}
	}
	count := &crasher{}
	removal(t, count)
	t.Logf("%d writes", count.seen)
	for at := 1; at <= count.seen; at += stride() {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, effect %v", at, after), func(t *testing.T) {
				t.Parallel()
				removal(t, &crasher{at: at, after: after})
			})
		}
	}
}
