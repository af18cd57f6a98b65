package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/stories"
)

// story is a cluster as sentences.
type story struct {
	*simulation
	t    *testing.T
	text strings.Builder
	last string
}

func (s *story) tell(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

func (s *story) passes(n int) {
	s.t.Helper()
	for range n {
		plan, err := s.obey()
		if err != nil {
			s.t.Error(err)
		}
		text := describe(plan)
		if text != s.last && text != "" {
			s.tell("- %s", strings.ReplaceAll(text, "\n", "\n  "))
		} else if text != s.last {
			s.tell("- data is placed.")
		}
		s.last = text
		s.step()
	}
}

var told = map[string]func(*story){
	"broker-removed": func(s *story) {
		s.tell("When broker 102 is removed from the spec:")
		s.dropBroker(102)
		s.passes(14)
	},
	"brokers-removed-and-one-comes-back": func(s *story) {
		s.tell("When brokers 102 and 103 are removed from the spec:")
		s.dropBroker(102, 103)
		s.passes(4)
		s.tell("When broker 103 is put back in the middle of it:")
		s.addBroker(103)
		s.passes(14)
	},
	"put-back-before-anything-moved": func(s *story) {
		s.idle = true
		s.tell("When broker 103 is removed from the spec, while Cruise Control does not begin:")
		s.dropBroker(103)
		s.passes(3)
		s.tell("When it is put back:")
		s.addBroker(103)
		s.passes(3)
		s.tell("When it is removed again:")
		s.dropBroker(103)
		s.passes(3)
	},
	"removed-twice": func(s *story) {
		s.tell("When broker 103 is removed, put back in the middle of it, and removed again:")
		s.dropBroker(103)
		s.passes(4)
		s.addBroker(103)
		s.passes(3)
		s.dropBroker(103)
		s.passes(12)
	},
	"removal-fails": func(s *story) {
		s.failing = true
		s.tell("When brokers 102 and 103 are removed from the spec, and Cruise Control cannot do it:")
		s.dropBroker(102, 103)
		s.passes(8)
		s.tell("When broker 101 is removed, too:")
		s.dropBroker(101)
		s.failing = false
		s.passes(8)
		s.tell("When broker 102 is put back, so that less is to be moved:")
		s.addBroker(102)
		s.passes(14)
	},
	"failed-removal-is-deleted": func(s *story) {
		s.failing = true
		s.dropBroker(103)
		s.passes(6)
		s.failing = false
		s.tell("When the failed operation is deleted:")
		s.remove(s.operations[0].Name)
		s.passes(14)
	},
	"failed-removal-is-wanted-once-more": func(s *story) {
		s.failing = true
		s.dropBroker(103)
		s.passes(6)
		s.failing = false
		s.tell("When the broker is put back, and removed again:")
		s.addBroker(103)
		s.passes(3)
		s.dropBroker(103)
		s.passes(14)
	},
	"removal-cancelled-by-a-person": func(s *story) {
		s.tell("When broker 103 is removed from the spec:")
		s.dropBroker(103)
		s.passes(4)
		s.tell("When a person cancels the operation:")
		s.operations[0].Spec.Cancel = true
		s.passes(4)
	},
	"dead-broker-removed": func(s *story) {
		s.slow[103] = true
		s.step()
		s.tell("When broker 103, which is down, is removed from the spec:")
		s.dropBroker(103)
		s.passes(10)
	},
	"replicas-arrive-after-the-removal": func(s *story) {
		s.tell("When broker 103 is removed from the spec, and somebody assigns a replica to it when all have moved:")
		s.dropBroker(103)
		s.passes(7)
		s.kafka.Partitions[0].Replicas = []int32{100, 103}
		s.cluster.Status.Brokers = append(s.cluster.Status.Brokers, v1beta1.BrokerStatus{ID: 103, Phase: v1beta1.BrokerDraining, Incarnation: "life4"})
		s.passes(8)
	},
	"brokers-added": func(s *story) {
		s.tell("When brokers 104 and 105 are added, and broker 105 takes a little longer:")
		s.slow[105] = true
		s.addBroker(104, 105)
		s.passes(5)
		s.slow[105] = false
		s.tell("When broker 105 is there, too:")
		s.passes(14)
	},
	"broker-added-and-another-does-not-come": func(s *story) {
		s.tell("When brokers 104 and 105 are added, and broker 105 cannot start:")
		s.slow[105] = true
		s.addBroker(104, 105)
		s.passes(24)
		s.tell("When broker 105 can start:")
		s.slow[105] = false
		s.passes(14)
	},
	"topic-created-while-a-broker-joins": func(s *story) {
		s.addTopic("large", 100, 2)
		s.idle = true
		s.addBroker(104)
		s.step()
		s.step()
		s.step()
		s.addTopic("new", 3, 2)
		s.tell("When broker 104 is added, and has a few replicas of a new topic at once:")
		s.passes(3)
	},
	"new-cluster": func(s *story) {
		s.simulation = newSimulation(100, 101, 102)
		s.tell("Given a new cluster, whose topics are created while broker 102 is still on its way.")
		s.slow[102] = true
		s.step()
		s.step()
		s.step()
		s.addTopic("__consumer_offsets", 50, 2)
		s.addTopic("first", 6, 2)
		s.passes(3)
		s.slow[102] = false
		s.tell("When broker 102 is there:")
		s.passes(3)
	},
	"cluster-without-data": func(s *story) {
		s.simulation = running(100, 101, 102)
		s.addTopic("__consumer_offsets", 50, 2)
		s.tell("When broker 103 is added to a cluster without topics of its users:")
		s.addBroker(103)
		s.passes(5)
	},
	"added-broker-is-removed-again": func(s *story) {
		s.tell("When brokers 104 and 105 are added:")
		s.addBroker(104, 105)
		s.passes(6)
		s.tell("When broker 105 is removed in the middle of it:")
		s.dropBroker(105)
		s.passes(14)
	},
	"adding-fails": func(s *story) {
		s.failing = true
		s.tell("When broker 104 is added, and Cruise Control cannot do it:")
		s.addBroker(104)
		s.passes(10)
		s.failing = false
		s.tell("When a person's operation does it:")
		s.person("mine", v1beta1.AddBrokers, 104)
		s.passes(14)
	},
	"automation-off": func(s *story) {
		s.cluster.Spec.CruiseControl.Automation = &v1beta1.Automation{RemoveBrokers: off(), AddBrokers: off()}
		s.tell("Given that automation is off.")
		s.tell("When broker 104 is added, and broker 103 removed:")
		s.addBroker(104)
		s.dropBroker(103)
		s.passes(6)
		s.tell("When a person makes the operation:")
		s.person("mine", v1beta1.RemoveBrokers, 103)
		s.passes(3)
	},
	"emptied-by-hand": func(s *story) {
		s.tell("When a person moves everything off broker 103, which stays:")
		s.edit(func(*v1beta1.KafkaClusterSpec) {})
		s.person("mine", v1beta1.RemoveBrokers, 103)
		s.passes(10)
	},
	"disk-removed": func(s *story) {
		s.setDisks(diskA, diskB)
		s.passes(12)
		s.tell("When disk b is removed from all brokers:")
		s.setDisks(diskA)
		s.passes(14)
	},
	"disk-put-back": func(s *story) {
		s.setDisks(diskA, diskB)
		s.step()
		s.step()
		s.addTopic("more", 20, 2)
		s.passes(1)
		s.tell("When disk b is removed, and put back when the operation has begun:")
		s.setDisks(diskA)
		s.passes(4)
		s.setDisks(diskA, diskB)
		s.passes(8)
	},
	"disk-exchanged": func(s *story) {
		s.tell("When all brokers get disk b instead of disk a:")
		s.setDisks(diskB)
		s.passes(16)
	},
	"disk-fails": func(s *story) {
		s.setDisks(diskA, diskB)
		s.passes(12)
		s.tell("When disk a of broker 103 fails:")
		s.breakDisk(103)
		s.passes(24)
	},
	"failed-disk-is-removed": func(s *story) {
		s.setDisks(diskA, diskB)
		s.passes(12)
		s.breakDisk(100)
		s.tell("When disk a has failed on broker 100, and is removed from all brokers:")
		s.setDisks(diskB)
		s.passes(3)
	},
	"kafka-not-reachable": func(s *story) {
		s.tell("When broker 103 is removed from the spec while Kafka cannot be asked:")
		s.reachable = false
		s.dropBroker(103)
		s.passes(3)
		s.reachable = true
		s.tell("When it can be asked:")
		s.passes(10)
	},
	"restored-without-status": func(s *story) {
		s.tell("When the KafkaCluster is made again, without broker 103 and without a status:")
		s.dropBroker(103)
		s.cluster.Status = v1beta1.KafkaClusterStatus{}
		s.cluster.UID, s.cluster.Generation = "kc-2", 1
		plan, err := s.obey()
		if err != nil {
			s.t.Error(err)
		}
		s.tell("- %d operations are made, %d are deleted.", len(plan.Create), len(plan.Withdraw)+len(plan.Forget))
		s.tell("When broker-manager has found broker 103, and says that it drains:")
		s.manage()
		for i, id := range []int32{100, 101, 102} {
			s.cluster.Status.Brokers[i].ID = id
		}
		s.cluster.Status.Brokers = append(s.cluster.Status.Brokers, v1beta1.BrokerStatus{ID: 103, Phase: v1beta1.BrokerDraining, Incarnation: "life4"})
		s.passes(3)
	},
	"waits-for-a-person": func(s *story) {
		s.dropBroker(103)
		s.passes(2)
		s.idle = true
		s.tell("When the plan of an operation is to be approved:")
		s.operations[0].Status.Phase = v1beta1.OperationAwaitingApproval
		s.passes(1)
		s.tell("When a person suspends it:")
		s.operations[0].Spec.Suspend = true
		s.passes(1)
	},
}

func TestStories(t *testing.T) {
	for name, tell := range told {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t, simulation: running(100, 101, 102, 103)}
			s.addTopic("orders", 16, 2)
			s.tell("Given the brokers 100 to 103, with 32 replicas of a topic.")
			tell(s)
			stories.Compare(t, name, s.text.String())
		})
	}
}

func TestRandomClusters(t *testing.T) {
	stories.Random(t, 600, func(r *rand.Rand) stories.Simulation {
		s := running(100, 101, 102, 103)
		s.addTopic("orders", 4+r.IntN(20), 2)
		s.rand = r
		return s
	})
}

// What an operation has moved before it was cancelled is moved back, and nothing else.
func TestWhatHasMoved(t *testing.T) {
	submitted := &metav1.Time{Time: time.Unix(1, 0)}
	for name, test := range map[string]struct {
		status v1beta1.CruiseControlOperationStatus
		want   bool
	}{
		"nothing":                      {v1beta1.CruiseControlOperationStatus{}, false},
		"a plan failed":                {v1beta1.CruiseControlOperationStatus{History: []v1beta1.OperationAttempt{{Attempt: 1}}}, false},
		"stopped before the first":     {v1beta1.CruiseControlOperationStatus{Task: &v1beta1.OperationTask{Attempt: 1}, History: []v1beta1.OperationAttempt{{Attempt: 1, Start: submitted}}, Progress: &v1beta1.OperationProgress{}}, false},
		"a partition":                  {v1beta1.CruiseControlOperationStatus{Progress: &v1beta1.OperationProgress{PartitionsFinished: 1}}, true},
		"an attempt that was executed": {v1beta1.CruiseControlOperationStatus{Task: &v1beta1.OperationTask{Attempt: 2}, History: []v1beta1.OperationAttempt{{Attempt: 1, Start: submitted}}}, true},
		"everything":                   {v1beta1.CruiseControlOperationStatus{Phase: v1beta1.OperationSucceeded}, true},
	} {
		op := &operation{CruiseControlOperation: &v1beta1.CruiseControlOperation{Status: test.status}}
		if got := op.hasMoved(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A cluster to which brokers come and go for long keeps ten finished operations, and those that it needs.
func TestHistory(t *testing.T) {
	s := running(100, 101, 102, 103)
	s.addTopic("orders", 16, 2)
	s.addBroker(104)
	s.passes(t, 20)
	for range 20 {
		s.addBroker(105)
		s.passes(t, 20)
		s.dropBroker(105)
		s.passes(t, 20)
	}
	if oldest := s.operations[0]; len(s.operations) != history || oldest.Spec.Brokers[0] != 104 || !IsRecord(s.cluster, s.operations, oldest) {
		t.Errorf("want %d operations, and what was done for broker 104 among them:\n%s", history, s)
	}
	s.now = s.now.Add(time.Hour)
	s.settled = map[string]bool{}
	for range 50 {
		s.addTopic("more", 10, 2)
		s.person(s.uid("person"), v1beta1.Rebalance)
		s.passes(t, 5)
	}
	if plan := Of(s.facts()); len(plan.Create) > 0 {
		t.Errorf("it begins again: %s", describe(plan))
	}
}

func (s *simulation) passes(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := s.obey(); err != nil {
			t.Fatal(err)
		}
		s.step()
	}
}

func FuzzParseTargets(f *testing.F) {
	f.Add("101@5f2c,102:/var/lib/kafka/b@9a~2c0f-11")
	f.Add("@,:@,1:@~,99999999999@x")
	f.Fuzz(func(t *testing.T, text string) {
		targets := parseTargets(text)
		again := parseTargets(formatTargets(targets))
		if fmt.Sprint(targets) != fmt.Sprint(again) {
			t.Errorf("%q is read as %v, and that as %v", text, targets, again)
		}
	})
}

// More disks than an operation can name are emptied and filled by several, one after the other.
func TestManyDisks(t *testing.T) {
	s := newSimulation()
	s.edit(func(spec *v1beta1.KafkaClusterSpec) {
		for id := range int32(70) {
			spec.Brokers = append(spec.Brokers, v1beta1.Broker{ID: 1000 + id, Group: "default"})
		}
	})
	s.setDisks(diskA, diskB)
	s.passes(t, 6)
	s.addTopic("orders", 300, 1)
	s.setDisks(diskA)
	s.passes(t, 60)
	count := 0
	for _, op := range s.operations {
		if op.Spec.Type == v1beta1.RemoveDisks {
			count++
		}
		if len(op.Spec.Disks) > maxDiskBrokers {
			t.Errorf("%s names the disks of %d brokers", op.Name, len(op.Spec.Disks))
		}
	}
	if count != 2 || !s.IsOver() {
		t.Errorf("there are %d operations:\n%s", count, s)
	}
}

// The largest cluster that the API admits.
func BenchmarkLargestCluster(b *testing.B) {
	s := newSimulation()
	var paths []string
	for i := range 32 {
		paths = append(paths, fmt.Sprintf("/var/lib/kafka/%d", i))
	}
	s.setDisks(paths...)
	for id := range int32(512) {
		s.cluster.Spec.Brokers = append(s.cluster.Spec.Brokers, v1beta1.Broker{ID: 1000 + id, Group: "default"})
	}
	for range 6 {
		s.manage()
	}
	s.addTopic("orders", 500, 3)
	for range 3 {
		if _, err := s.obey(); err != nil {
			b.Fatal(err)
		}
		s.now = s.now.Add(time.Minute)
	}
	f := s.facts()
	for b.Loop() {
		Of(f)
	}
}
