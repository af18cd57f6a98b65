package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kafkaac "koperator.dev/koperator/apis/kafka/v1beta1/applyconfiguration/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	cc "koperator.dev/koperator/cruisecontrol/client"
)

// faults are what goes wrong with the calls of the program.
type faults struct {
	mu sync.Mutex
	// at is the call that fails, counted from 1; 0 for none. after: it is done, and its answer is lost.
	at    int
	after bool
	// crash: the program dies with it.
	crash bool
	names []string
	// met says that it has happened.
	met bool
	// told is the story: what was done, and each phase that was written with its message.
	told []string
}

// life is one life of the program: after its end, none of its calls arrives anywhere.
type life struct {
	*faults
	dead atomic.Bool
}

var (
	errCrash    = errors.New("cruisecontrol-manager died here")
	errNoAnswer = errors.New("there is no answer")
)

// call makes a call, unless something is to go wrong with it.
func call[T any](l *life, name string, fault error, do func() (T, error)) (T, error) {
	var none T
	if l.dead.Load() {
		return none, errCrash
	}
	l.mu.Lock()
	l.names = append(l.names, name)
	if changesSomething(name) {
		l.told = append(l.told, "    "+name)
	}
	hit := len(l.names) == l.at
	l.met = l.met || hit
	l.mu.Unlock()
	if !hit {
		return do()
	}
	if l.after {
		if _, err := do(); err != nil {
			return none, err
		}
	}
	if l.crash {
		l.dead.Store(true)
		return none, errCrash
	}
	return none, fault
}

func callErr(l *life, name string, fault error, do func() error) error {
	_, err := call(l, name, fault, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// changesSomething tells calls that a story tells of from questions, and from its own telling.
func changesSomething(name string) bool {
	for _, what := range []string{"POST", "Alter", "Cancel", "Lease", "patch", "ConfigMap"} {
		if strings.Contains(name, what) {
			return true
		}
	}
	return false
}

// tell adds a phase to the story.
func (l *life) tell(op *kafkaac.CruiseControlOperationApplyConfiguration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := fmt.Sprintf("%s is %s", *op.Name, *op.Status.Phase)
	for i := len(l.told) - 1; i >= 0; i-- {
		if strings.HasPrefix(l.told[i], *op.Name+" is ") {
			if l.told[i] == line || strings.HasPrefix(l.told[i], line+":") {
				return
			}
			break
		}
	}
	if s := op.Status.Summary; s != nil && s.Message != nil && *s.Message != "" {
		line += ": " + *s.Message
	}
	l.told = append(l.told, line)
}

func (l *life) write(what string, do func() error) error {
	return callErr(l, what, fmt.Errorf("the API server: %w", errNoAnswer), do)
}

func (l *life) client(to client.WithWatch) client.Client {
	return interceptor.NewClient(to, interceptor.Funcs{
		Create: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return l.write(fmt.Sprintf("create %T", obj), func() error { return to.Create(ctx, obj, opts...) })
		},
		Update: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return l.write(fmt.Sprintf("update %T", obj), func() error { return to.Update(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return l.write(fmt.Sprintf("delete %T", obj), func() error { return to.Delete(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, to client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return l.write(fmt.Sprintf("patch %T", obj), func() error { return to.Patch(ctx, obj, patch, opts...) })
		},
		Apply: func(ctx context.Context, to client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return l.write(fmt.Sprintf("apply %T", obj), func() error { return to.Apply(ctx, obj, opts...) })
		},
		SubResourceApply: func(ctx context.Context, to client.Client, name string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			return l.write("apply status", func() error {
				err := to.SubResource(name).Apply(ctx, obj, opts...)
				if op, ok := obj.(*kafkaac.CruiseControlOperationApplyConfiguration); ok && err == nil {
					l.tell(op)
				}
				return err
			})
		},
	})
}

// faultyKafka is a client of Kafka with faults.
type faultyKafka struct {
	kafka.Admin
	*life
}

func (l *life) newKafka(cfg kafka.Config) (kafka.Admin, error) {
	admin, err := kafka.New(cfg)
	return &faultyKafka{admin, l}, err
}

var errKafka = fmt.Errorf("%w: %w", kafka.ErrUnreachable, errNoAnswer)

func (f *faultyKafka) Describe(ctx context.Context) (kafka.Cluster, error) {
	return call(f.life, "Kafka Describe", errKafka, func() (kafka.Cluster, error) { return f.Admin.Describe(ctx) })
}

func (f *faultyKafka) LogDirs(ctx context.Context, brokers []int32) (map[int32][]kafka.LogDir, error) {
	return call(f.life, "Kafka LogDirs", errKafka, func() (map[int32][]kafka.LogDir, error) { return f.Admin.LogDirs(ctx, brokers) })
}

func (f *faultyKafka) DynamicConfig(ctx context.Context, node int32) (map[string]string, error) {
	return call(f.life, "Kafka DynamicConfig", errKafka, func() (map[string]string, error) { return f.Admin.DynamicConfig(ctx, node) })
}

func (f *faultyKafka) AlterDynamicConfig(ctx context.Context, node int32, set map[string]string, remove []string) error {
	return callErr(f.life, "Kafka AlterDynamicConfig", errKafka, func() error { return f.Admin.AlterDynamicConfig(ctx, node, set, remove) })
}

func (f *faultyKafka) TopicConfigs(ctx context.Context, topics []string) (map[string]map[string]string, error) {
	return call(f.life, "Kafka TopicConfigs", errKafka, func() (map[string]map[string]string, error) { return f.Admin.TopicConfigs(ctx, topics) })
}

func (f *faultyKafka) AlterTopicConfigs(ctx context.Context, changes map[string]kafka.ConfigChange) error {
	return callErr(f.life, "Kafka AlterTopicConfigs", errKafka, func() error { return f.Admin.AlterTopicConfigs(ctx, changes) })
}

func (f *faultyKafka) CancelReassignments(ctx context.Context, partitions []kafka.TopicPartition) error {
	return callErr(f.life, "Kafka CancelReassignments", errKafka, func() error { return f.Admin.CancelReassignments(ctx, partitions) })
}

// UpdateAddresses keeps the pool from making another client when brokers come or go.
func (f *faultyKafka) UpdateAddresses(seeds, controllers []string) error {
	return f.Admin.(interface {
		UpdateAddresses(seeds, controllers []string) error
	}).UpdateAddresses(seeds, controllers)
}

// faultyCruiseControl is a client of Cruise Control with faults.
type faultyCruiseControl struct {
	cc.Client
	*life
}

func (l *life) newCruiseControl(cfg cc.Config) (cc.Client, error) {
	c, err := cc.New(cfg)
	return &faultyCruiseControl{c, l}, err
}

var errCruiseControl = &cc.Error{Class: cc.Unreachable, Message: errNoAnswer.Error()}

func (f *faultyCruiseControl) State(ctx context.Context, p cc.StateParameters) (cc.Answer[cc.State], error) {
	return call(f.life, "GET state", errCruiseControl, func() (cc.Answer[cc.State], error) { return f.Client.State(ctx, p) })
}

func (f *faultyCruiseControl) UserTasks(ctx context.Context, p cc.UserTasksParameters) (cc.UserTasks, error) {
	return call(f.life, "GET user_tasks", errCruiseControl, func() (cc.UserTasks, error) { return f.Client.UserTasks(ctx, p) })
}

func (f *faultyCruiseControl) RemoveBroker(ctx context.Context, s cc.Submission, p cc.RemoveBrokerParameters) (cc.Answer[cc.Plan], error) {
	return call(f.life, "POST remove_broker", errCruiseControl, func() (cc.Answer[cc.Plan], error) { return f.Client.RemoveBroker(ctx, s, p) })
}

func (f *faultyCruiseControl) AddBroker(ctx context.Context, s cc.Submission, p cc.AddBrokerParameters) (cc.Answer[cc.Plan], error) {
	return call(f.life, "POST add_broker", errCruiseControl, func() (cc.Answer[cc.Plan], error) { return f.Client.AddBroker(ctx, s, p) })
}

func (f *faultyCruiseControl) StopProposalExecution(ctx context.Context, reason string) error {
	return callErr(f.life, "POST stop_proposal_execution", errCruiseControl, func() error { return f.Client.StopProposalExecution(ctx, reason) })
}

func (f *faultyCruiseControl) Admin(ctx context.Context, reason string, p cc.AdminParameters) (cc.AdminResult, error) {
	return call(f.life, "POST admin", errCruiseControl, func() (cc.AdminResult, error) { return f.Client.Admin(ctx, reason, p) })
}
