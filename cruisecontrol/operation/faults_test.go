package operation

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// slow makes the data of a story move for minutes.
func (w *world) slow() { w.kafka.Bandwidth = 2 << 20 }

func (w *world) add(name string, change ...func(*v1beta1.CruiseControlOperationSpec)) {
	w.Helper()
	spec := v1beta1.CruiseControlOperationSpec{Type: v1beta1.AddBrokers, Brokers: []int32{3}}
	for _, c := range change {
		c(&spec)
	}
	w.operation(name, spec)
}

func (w *world) remove(name string, change ...func(*v1beta1.CruiseControlOperationSpec)) {
	w.Helper()
	spec := v1beta1.CruiseControlOperationSpec{Type: v1beta1.RemoveBrokers, Brokers: []int32{0}}
	for _, c := range change {
		c(&spec)
	}
	w.operation(name, spec)
}

func throttled(spec *v1beta1.CruiseControlOperationSpec) {
	spec.ReplicationThrottle = ptr.To(resource.MustParse("2Mi"))
}

// moving lets time pass until data moves.
func (w *world) moving(name string) {
	w.Helper()
	w.until(name+" moves data", 10*time.Minute, func() bool {
		op := w.op(name)
		return op.Status.Progress != nil && op.Status.Progress.Phase == "InterBroker"
	})
}

func TestCancel(t *testing.T) {
	cancel := func(op *v1beta1.CruiseControlOperation) { op.Spec.Cancel = true }
	t.Run("half-way", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.slow()
			w.remove("down", throttled)
			w.moving("down")
			w.edit("down", cancel)
			w.phase("down", v1beta1.OperationCancelled, 10*time.Minute)
			if removed, _ := w.cc.Remembered(); len(removed) > 0 {
				t.Errorf("Cruise Control remembers %v", removed)
			}
			w.clean()
		})
	})
	t.Run("while it plans to execute", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.slow()
			w.remove("down")
			w.phase("down", v1beta1.OperationExecuting, 10*time.Minute)
			w.edit("down", cancel)
			w.phase("down", v1beta1.OperationCancelled, 10*time.Minute)
			time.Sleep(5 * time.Minute)
			if e := w.replicas()[0]; e != 12 {
				t.Errorf("something has moved: %d", e)
			}
			w.clean()
		}, func(c *cruisecontrol.Config) { c.PlanningTime = time.Minute })
	})
	for _, phase := range []v1beta1.OperationPhase{v1beta1.OperationSettling, v1beta1.OperationProposing, v1beta1.OperationAwaitingApproval} {
		t.Run("while "+string(phase), func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.remove("down", manual)
				w.phase("down", phase, 10*time.Minute)
				w.edit("down", cancel)
				w.phase("down", v1beta1.OperationCancelled, time.Minute)
				if len(w.executions()) > 0 {
					t.Error("something was executed")
				}
				w.clean()
			}, func(c *cruisecontrol.Config) { c.PlanningTime = time.Minute })
		})
	}
}

func manual(spec *v1beta1.CruiseControlOperationSpec) {
	spec.Approval = &v1beta1.OperationApproval{Mode: v1beta1.ApprovalManual, MaxDrift: ptr.To(int32(10))}
}

func TestManualApproval(t *testing.T) {
	approve := func(w *world, name string) {
		hash := w.op(name).Status.Proposal.Hash
		w.edit(name, func(op *v1beta1.CruiseControlOperation) { op.Spec.Approval.ApprovedProposal = hash })
	}
	t.Run("the plan stays", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("up", manual)
			w.phase("up", v1beta1.OperationAwaitingApproval, 10*time.Minute)
			time.Sleep(time.Hour)
			if len(w.executions()) > 0 {
				t.Fatal("executed without approval")
			}
			approve(w, "up")
			w.phase("up", v1beta1.OperationSucceeded, time.Hour)
			w.clean()
		})
	})
	t.Run("the plan drifts", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("up", manual)
			w.phase("up", v1beta1.OperationAwaitingApproval, 10*time.Minute)
			first := w.op("up").Status.Proposal.Hash
			w.kafka.CreateTopic(w, "new", 100<<20, []int32{0, 1, 2}, []int32{1, 2, 0}, []int32{2, 0, 1}, []int32{2, 0, 1}, []int32{0, 1, 2}, []int32{1, 2, 0})
			time.Sleep(time.Minute)
			approve(w, "up")
			w.until("another plan waits", 10*time.Minute, func() bool {
				s := w.op("up").Status
				return s.Phase == v1beta1.OperationAwaitingApproval && s.Proposal.Hash != first
			})
			if len(w.executions()) > 0 {
				t.Fatal("executed what was not approved")
			}
			if s := w.op("up").Status.Summary; !strings.Contains(s.Message, "differs by") {
				t.Errorf("got %q", s.Message)
			}
			approve(w, "up")
			w.phase("up", v1beta1.OperationSucceeded, time.Hour)
			w.clean()
		})
	})
	t.Run("limits", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("up", func(spec *v1beta1.CruiseControlOperationSpec) {
				spec.Limits = &v1beta1.OperationLimits{MaxReplicaMovements: ptr.To(int32(2))}
				spec.Approval = &v1beta1.OperationApproval{}
			})
			w.phase("up", v1beta1.OperationAwaitingApproval, 10*time.Minute)
			approve(w, "up")
			w.phase("up", v1beta1.OperationSucceeded, time.Hour)
			w.clean()
		})
	})
}

func TestDeadDestination(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		w.add("up", throttled)
		w.moving("up")
		w.kafka.StopBroker(w, 3)
		time.Sleep(5 * time.Minute)
		w.kafka.StartBroker(w, 3)
		w.phase("up", v1beta1.OperationSucceeded, 3*time.Hour)
		if w.replicas()[3] == 0 {
			t.Error("nothing has moved")
		}
		w.clean()
	})
}

func TestCruiseControlDies(t *testing.T) {
	t.Run("while it makes the plan", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("up")
			w.phase("up", v1beta1.OperationProposing, 10*time.Minute)
			w.killCruiseControl(30 * time.Second)
			w.phase("up", v1beta1.OperationSucceeded, time.Hour)
			w.clean()
		}, func(c *cruisecontrol.Config) { c.PlanningTime = 30 * time.Second })
	})
	t.Run("while data moves", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.slow()
			w.remove("down", throttled)
			w.moving("down")
			w.killCruiseControl(30 * time.Second)
			w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
			if s := w.op("down").Status; s.Restarts != 1 || s.Retries != 0 {
				t.Errorf("charged %d restarts and %d retries", s.Restarts, s.Retries)
			}
			w.clean()
		})
	})
	t.Run("with its manager", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.slow()
			w.remove("down", throttled)
			w.moving("down")
			w.killManager()
			w.killCruiseControl(30 * time.Second)
			w.startManager()
			w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
			w.clean()
		})
	})
	t.Run("by a SIGTERM", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.slow()
			w.remove("down", throttled)
			w.moving("down")
			w.cc.Terminate()
			w.until("it is gone", time.Minute, func() bool { return !w.cc.Alive() })
			w.killCruiseControl(20 * time.Second)
			w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
			w.clean()
		})
	})
	t.Run("again and again", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.slow()
			w.remove("down")
			for range 2 {
				w.moving("down")
				w.killCruiseControl(10 * time.Second)
				time.Sleep(time.Minute)
				w.phase("down", v1beta1.OperationExecuting, time.Hour)
			}
			w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
			w.clean()
		})
	})
}

// Answers that are late or lost: Cruise Control has got the request, or not.
func TestLostAnswers(t *testing.T) {
	for name, fault := range map[string]cruisecontrol.Fault{
		"slower than the timeout": {Kind: cruisecontrol.FaultSlow, Duration: 45 * time.Second},
		"reset before":            {Kind: cruisecontrol.FaultResetBefore},
		"reset after":             {Kind: cruisecontrol.FaultResetAfter},
		"hangs":                   {Kind: cruisecontrol.FaultHang},
		"bad gateway":             {Kind: cruisecontrol.FaultPage, Status: 502},
		"completed before":        {Kind: cruisecontrol.FaultCompletedBeforeExecution, Duration: 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.slow()
				w.add("up", throttled)
				w.phase("up", v1beta1.OperationProposing, 10*time.Minute)
				fault.Endpoint = "add_broker"
				w.until("the plan is made", time.Minute, func() bool { return w.op("up").Status.Proposal != nil || w.op("up").Status.Task.PlanTaskID != "" })
				w.cc.Inject(fault)
				w.phase("up", v1beta1.OperationSucceeded, 3*time.Hour)
				w.clean()
			}, func(c *cruisecontrol.Config) { c.PlanningTime = 4 * time.Second })
		})
	}
}

// Somebody's request in other letters cuts the list of tasks while the answer to ours is lost.
func TestCutList(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		w.add("up")
		w.phase("up", v1beta1.OperationProposing, 10*time.Minute)
		w.post("rebalance?dryrun=true&json=true&reason=" + strings.Repeat("%C3%A9", 600))
		w.until("the plan is made", time.Minute, func() bool { return w.op("up").Status.Task.PlanTaskID != "" })
		w.cc.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultResetAfter, Endpoint: "add_broker", Times: 2})
		w.phase("up", v1beta1.OperationSucceeded, 3*time.Hour)
		w.noLeftovers()
	}, func(c *cruisecontrol.Config) { c.PlanningTime = 4 * time.Second })
}

func TestFewSlots(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		ctx, stop := context.WithCancel(w)
		go func() { // somebody else takes them all from time to time
			for ctx.Err() == nil {
				for range 6 {
					w.read("state?json=true&substates=executor")
				}
				select {
				case <-ctx.Done():
				case <-time.After(7 * time.Second):
				}
			}
		}()
		w.add("up")
		w.phase("up", v1beta1.OperationSucceeded, 3*time.Hour)
		stop()
		w.noLeftovers()
	}, func(c *cruisecontrol.Config) { c.MaxActiveUserTasks = 5 })
}

func TestForeignExecution(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		c, err := client.New(client.Config{URL: "http://" + ccAddress, Dialer: w.network.DialContext})
		w.must(err)
		defer c.Close()
		_, err = c.AddBroker(w, client.Execute("somebody-else"), client.AddBrokerParameters{BrokerIDs: []int32{3}, GoalParameters: client.GoalParameters{AllowCapacityEstimation: true, FastMode: true}})
		w.must(err)
		w.remove("down")
		w.until("it waits", 10*time.Minute, func() bool {
			s := w.op("down").Status
			return s.Summary != nil && strings.Contains(s.Summary.Message, "somebody-else")
		})
		w.edit("down", func(op *v1beta1.CruiseControlOperation) { op.Spec.Cancel = true })
		w.phase("down", v1beta1.OperationCancelled, time.Minute)
		w.remove("again")
		w.phase("again", v1beta1.OperationSucceeded, 3*time.Hour)
		for _, r := range w.cc.Requests() {
			if r.Endpoint == "STOP_PROPOSAL_EXECUTION" {
				t.Error("somebody else's execution was stopped")
			}
		}
		w.clean()
	})
}

func TestForeignReassignment(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		tp := backend.TopicPartition{Topic: "t", Partition: 0}
		w.must(w.kafka.Reassign(w, map[backend.TopicPartition][]int32{tp: {3, 1, 2}}))
		w.remove("down")
		w.until("it waits", 10*time.Minute, func() bool {
			s := w.op("down").Status
			return s.Summary != nil && strings.Contains(s.Summary.Message, "t-0")
		})
		moving, err := w.kafka.Reassignments(w)
		w.must(err)
		if len(moving) != 1 {
			t.Error("somebody else's reassignment was cancelled")
		}
		w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
		w.clean()
	})
}

func TestForeignThrottle(t *testing.T) {
	for name, r := range map[string]backend.Resource{"of a broker": {Name: "1"}, "of all brokers": {}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.must(w.kafka.AlterConfig(w, r, map[string]string{backend.FollowerRate: "12345"}, nil))
				w.add("up", throttled)
				w.until("it waits", 10*time.Minute, func() bool {
					s := w.op("up").Status
					return s.Summary != nil && strings.Contains(s.Summary.Message, "12345")
				})
				time.Sleep(time.Hour)
				if len(w.executions()) > 0 {
					t.Error("executed")
				}
				w.must(w.kafka.AlterConfig(w, r, nil, []string{backend.FollowerRate}))
				w.phase("up", v1beta1.OperationSucceeded, 3*time.Hour)
				w.clean()
			})
		})
	}
}

// loseStatus deletes the status, as a restore from a backup does.
func (w *world) loseStatus(name string) {
	w.Helper()
	w.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		op := w.op(name)
		op.Status = v1beta1.CruiseControlOperationStatus{}
		return w.api.Status().Update(w, op)
	}))
}

// Status is deleted a while after the operation was made, and the program dies with it or not.
func TestStatusIsLost(t *testing.T) {
	for _, dies := range []bool{false, true} {
		for _, after := range []time.Duration{1, 13, 16, 20, 30, 60, 120, 400, 520, 545, 600} {
			t.Run(fmt.Sprintf("after %ds, program dies %v", after, dies), func(t *testing.T) {
				inBubble(t, func(w *world) {
					w.slow()
					w.remove("down", throttled)
					time.Sleep(after * time.Second)
					if dies {
						w.killManager()
					}
					w.loseStatus("down")
					if dies {
						w.startManager()
					}
					w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
					time.Sleep(time.Minute)
					w.clean()
				}, func(c *cruisecontrol.Config) { c.PlanningTime = 5 * time.Second })
			})
		}
	}
}

// The operation is deleted a while after it was made. It is not gone before nothing of it is left.
func TestOperationIsDeleted(t *testing.T) {
	for _, after := range []time.Duration{1, 13, 16, 20, 30, 60, 120, 400, 520, 545, 600} {
		t.Run(fmt.Sprintf("after %ds", after), func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.slow()
				w.remove("down", throttled)
				time.Sleep(after * time.Second)
				w.must(w.api.Delete(w, w.op("down")))
				w.until("it is gone", 10*time.Minute, func() bool { return w.op("down") == nil })
				w.clean()
				sent := len(w.executions())
				time.Sleep(10 * time.Minute)
				if len(w.executions()) != sent {
					t.Error("executed after it was deleted")
				}
				w.clean()
			}, func(c *cruisecontrol.Config) { c.PlanningTime = 5 * time.Second })
		})
	}
}

// Unsatisfiable is the end, with Cruise Control's own words.
func TestUnsatisfiable(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("down", v1beta1.CruiseControlOperationSpec{Type: v1beta1.RemoveBrokers, Brokers: []int32{1}})
		w.phase("down", v1beta1.OperationFailed, time.Hour)
		if s := w.op("down").Status; !strings.Contains(s.Summary.Message, "RackAwareGoal") || s.Task.Attempt != 2 {
			t.Errorf("got attempt %d: %q", s.Task.Attempt, s.Summary.Message)
		}
		w.clean()
	})
}

func TestBrokerJoinsLater(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("up", v1beta1.CruiseControlOperationSpec{Type: v1beta1.AddBrokers, Brokers: []int32{4}})
		time.Sleep(5 * time.Minute)
		w.kafka.AddBroker(w, 4, "b", "/a/kafka-logs", "/b/kafka-logs")
		w.phase("up", v1beta1.OperationSucceeded, time.Hour)
		if s := w.op("up").Status; s.Retries != 0 || w.replicas()[4] == 0 {
			t.Errorf("%d retries, %v", s.Retries, w.replicas())
		}
		w.clean()
	})
}

func TestBrokerIsGoneAlready(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("down", v1beta1.CruiseControlOperationSpec{Type: v1beta1.RemoveBrokers, Brokers: []int32{99}})
		w.phase("down", v1beta1.OperationSucceeded, time.Hour)
		w.clean()
	})
}

func TestQueue(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		w.operation("even", v1beta1.CruiseControlOperationSpec{Type: v1beta1.Rebalance})
		w.moving("even")
		w.operation("disks", v1beta1.CruiseControlOperationSpec{Type: v1beta1.RebalanceDisks})
		w.remove("down")
		w.operation("planned", v1beta1.CruiseControlOperationSpec{Type: v1beta1.Rebalance, DryRun: true})
		for _, name := range []string{"even", "disks", "down"} {
			w.phase(name, v1beta1.OperationSucceeded, 5*time.Hour)
		}
		w.phase("planned", v1beta1.OperationProposalOnly, time.Hour)
		end := func(name string) *metav1.Time { return w.op(name).Status.CompletionTime }
		if !end("even").Before(end("down")) || !end("down").Before(end("disks")) || !end("planned").Before(end("even")) {
			t.Errorf("the order is wrong: %s", w.describe())
		}
		w.clean()
	})
}

// The thread that plans dies: the task would stay as it is for ever, and nobody else could execute anything.
func TestCruiseControlIsStuck(t *testing.T) {
	inBubble(t, func(w *world) {
		w.remove("down", func(spec *v1beta1.CruiseControlOperationSpec) {
			spec.Deadlines = &v1beta1.OperationDeadlines{ProposalSeconds: 60, StallSeconds: 600}
		})
		w.phase("down", v1beta1.OperationProposing, 10*time.Minute)
		w.until("the plan is made", time.Minute, func() bool { return w.op("down").Status.Task.PlanTaskID != "" })
		time.Sleep(2 * time.Second)
		w.cc.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultOutOfMemory, Endpoint: "remove_broker"})
		w.until("its Pod is to be replaced", time.Hour, w.isRestarted)
		w.killCruiseControl(30 * time.Second)
		w.phase("down", v1beta1.OperationSucceeded, time.Hour)
		w.clean()
	}, func(c *cruisecontrol.Config) { c.PlanningTime = 4 * time.Second })
}

// A broker dies with its throttle and stays away: the others are not held up, and its throttle goes when it is back.
func TestThrottleOfADeadBroker(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		w.add("up", throttled, func(spec *v1beta1.CruiseControlOperationSpec) {
			spec.Retry = &v1beta1.OperationRetry{Limit: ptr.To(int32(0))}
		})
		w.moving("up")
		w.kafka.StopBroker(w, 3)
		w.phase("up", v1beta1.OperationFailed, 2*time.Hour)
		if throttle := w.op("up").Status.Throttle; throttle == nil || len(throttle.Brokers) != 1 {
			t.Errorf("got %+v", throttle)
		}
		left, err := w.cc.Leftovers(w)
		w.must(err)
		if len(left) > 0 {
			t.Errorf("left on brokers that serve: %v", left)
		}
		w.kafka.StartBroker(w, 3)
		w.until("its throttle is gone", time.Hour, func() bool { return w.op("up").Status.Throttle == nil })
		w.clean()
	})
}

func TestClusterIsDeleted(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		w.remove("down")
		w.moving("down")
		w.must(w.api.Delete(w, w.get()))
		w.phase("down", v1beta1.OperationFailed, 10*time.Minute)
		w.until("it can be deleted", time.Minute, func() bool { return len(w.op("down").Finalizers) == 0 })
	})
}

// A deleted operation whose Cruise Control never comes back is let go when a person says so.
func TestAbandon(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		w.remove("down")
		w.moving("down")
		w.cc.Kill()
		w.noInstance()
		w.must(w.api.Delete(w, w.op("down")))
		time.Sleep(10 * time.Minute)
		if w.op("down") == nil {
			t.Fatal("it is gone with what it left")
		}
		w.edit("down", func(op *v1beta1.CruiseControlOperation) {
			op.Annotations = map[string]string{v1beta1.AnnotationAbandon: "true"}
		})
		w.until("it is gone", 5*time.Minute, func() bool { return w.op("down") == nil })
	})
}

func TestNotAccepted(t *testing.T) {
	inBubble(t, func(w *world) {
		kc := w.get()
		kc.Spec.CruiseControl = nil
		w.must(w.api.Update(w, kc))
		w.add("up")
		w.until("it says why it waits", time.Minute, func() bool {
			s := w.op("up").Status
			return len(s.Conditions) > 0 && strings.Contains(s.Summary.Message, "set spec.cruiseControl")
		})
		kc = w.get()
		kc.Spec.CruiseControl = w.cluster().Spec.CruiseControl
		w.must(w.api.Update(w, kc))
		w.phase("up", v1beta1.OperationSucceeded, time.Hour)
		w.clean()
	})
}

func TestSuspend(t *testing.T) {
	inBubble(t, func(w *world) {
		w.add("up", func(spec *v1beta1.CruiseControlOperationSpec) { spec.Suspend = true })
		time.Sleep(time.Hour)
		if len(w.cc.Requests()) > 0 {
			t.Error("Cruise Control was asked for something")
		}
		w.edit("up", func(op *v1beta1.CruiseControlOperation) { op.Spec.Suspend = false })
		w.phase("up", v1beta1.OperationSucceeded, time.Hour)
		w.clean()
	})
}

// Nothing moves for long: it is said, and the attempt is stopped if the operation says so.
func TestStall(t *testing.T) {
	inBubble(t, func(w *world) {
		w.slow()
		w.remove("down", func(spec *v1beta1.CruiseControlOperationSpec) {
			spec.OnStall = v1beta1.StallStop
			spec.Deadlines = &v1beta1.OperationDeadlines{ProposalSeconds: 600, StallSeconds: 300}
		})
		w.moving("down")
		w.kafka.StopBroker(w, 1) // a source: Cruise Control waits for it without end
		w.until("it is stopped", time.Hour, func() bool { return len(w.op("down").Status.History) > 0 })
		w.kafka.StartBroker(w, 1)
		w.phase("down", v1beta1.OperationSucceeded, 3*time.Hour)
		w.clean()
	})
}

// A failure that may pass is tried again later and later, and not for ever.
func TestRetries(t *testing.T) {
	inBubble(t, func(w *world) {
		w.cc.Inject(cruisecontrol.Fault{Kind: cruisecontrol.FaultPlanningError, Times: -1, Message: "java.util.concurrent.TimeoutException: Failed to retrieve if there are already ongoing partition reassignments."})
		w.add("up")
		w.phase("up", v1beta1.OperationFailed, 2*time.Hour)
		s := w.op("up").Status
		if took := s.CompletionTime.Sub(s.StartTime.Time); s.Retries != 6 || took < 25*time.Minute || took > 40*time.Minute {
			t.Errorf("%d retries in %v", s.Retries, took)
		}
		if !strings.Contains(s.Summary.Message, "Failed to retrieve") {
			t.Errorf("got %q", s.Summary.Message)
		}
		w.clean()
	})
}

// Everything that a spec says arrives.
func TestNothingIsDropped(t *testing.T) {
	inBubble(t, func(w *world) {
		w.operation("down", v1beta1.CruiseControlOperationSpec{
			Type: v1beta1.RemoveBrokers, Brokers: []int32{0}, Goals: []v1beta1.Goal{"RackAwareGoal", "ReplicaDistributionGoal"}, SkipHardGoalCheck: true,
			DataFrom: v1beta1.ValidPartitions, ExcludedTopics: "x.*", DestinationBrokers: []int32{2, 3}, ExcludeRecentlyRemovedBrokers: ptr.To(false),
			ExcludeRecentlyDemotedBrokers: ptr.To(true), ReplicaMovementStrategies: []v1beta1.ReplicaMovementStrategy{"PostponeUrpReplicaMovementStrategy"},
			Concurrency: &v1beta1.OperationConcurrency{PerBroker: 3, Cluster: 30, Leaders: 7, LeadersPerBroker: 2},
		})
		w.phase("down", v1beta1.OperationSucceeded, time.Hour)
		want := map[string]string{
			"brokerid": "0", "goals": "RackAwareGoal,ReplicaDistributionGoal", "skip_hard_goal_check": "true", "data_from": "VALID_PARTITIONS",
			"excluded_topics": "x.*", "destination_broker_ids": "2,3", "exclude_recently_removed_brokers": "false", "exclude_recently_demoted_brokers": "true",
			"replica_movement_strategies": "PostponeUrpReplicaMovementStrategy", "concurrent_partition_movements_per_broker": "3",
			"max_partition_movements_in_cluster": "30", "concurrent_leader_movements": "7", "broker_concurrent_leader_movements": "2", "allow_capacity_estimation": "true",
		}
		for _, r := range w.cc.Requests() {
			for name, value := range want {
				if r.Endpoint == "REMOVE_BROKER" && r.Get(name) != value {
					t.Errorf("dryrun=%s: %s is %q, want %q", r.Get("dryrun"), name, r.Get(name), value)
				}
			}
		}
		w.clean()
	})
}

// Nobody asks a Cruise Control that there is nothing to do for.
func TestNoPollsWithoutOperations(t *testing.T) {
	inBubble(t, func(w *world) {
		w.add("up")
		w.phase("up", v1beta1.OperationSucceeded, time.Hour)
		time.Sleep(time.Minute)
		asked := len(w.cc.Requests())
		time.Sleep(time.Hour)
		if n := len(w.cc.Requests()) - asked; n > 0 {
			t.Errorf("asked %d times", n)
		}
	})
}
