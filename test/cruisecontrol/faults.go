package cruisecontrol

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// FaultKind is a way to fail.
type FaultKind string

const (
	// FaultResetBefore resets the connection before the request is looked at.
	FaultResetBefore FaultKind = "ResetBefore"
	// FaultResetAfter resets it when the request has its task, and before the answer.
	FaultResetAfter FaultKind = "ResetAfter"
	// FaultSlow answers a Duration later than it could, with the task registered at once.
	FaultSlow FaultKind = "Slow"
	// FaultHang never answers, and registers nothing.
	FaultHang FaultKind = "Hang"
	// FaultPage answers with an HTML page of Status.
	FaultPage FaultKind = "Page"
	// FaultNaN writes NaN for a number in the answer's plan, or in the state of anomalies.
	FaultNaN FaultKind = "NaN"
	// FaultPlanningError fails a plan with Message, which is an exception as Java's toString has it.
	FaultPlanningError FaultKind = "PlanningError"
	// FaultOutOfMemory loses the thread that plans: the task stays active for ever.
	FaultOutOfMemory FaultKind = "OutOfMemory"
	// FaultCompletedBeforeExecution begins the execution a Duration after the plan. After five seconds the task looks
	// completed for a while.
	FaultCompletedBeforeExecution FaultKind = "CompletedBeforeExecution"
	// FaultResponseMissing hides a task's result from fetch_completed_task for a Duration.
	FaultResponseMissing FaultKind = "ResponseMissing"
	// FaultSlowRollback makes a stop take a Duration.
	FaultSlowRollback FaultKind = "SlowRollback"
)

// Fault happens to the next requests that it fits.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Endpoint that it is for, in any case; empty: every one.
	Endpoint string `json:"endpoint,omitempty"`
	// Times that it happens; 0: once, -1: always.
	Times    int           `json:"times,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
	Status   int           `json:"status,omitempty"`
	Message  string        `json:"message,omitempty"`
}

// Inject arranges a fault.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// Heal forgets all faults that have not happened yet.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// consume takes a fault that fits, or nil.
func (s *Server) consume(kind FaultKind, endpoint string) *Fault {
	i := slices.IndexFunc(s.faults, func(f *Fault) bool {
		return f.Kind == kind && (f.Endpoint == "" || strings.EqualFold(f.Endpoint, endpoint))
	})
	if i < 0 {
		return nil
	}
	f := s.faults[i]
	if f.Times > 0 {
		f.Times--
	}
	if f.Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return f
}

// answerFaulty answers a request with what was arranged to go wrong on the way.
func (p *process) answerFaulty(ctx context.Context, c *call) *response {
	endpoint := c.path[strings.LastIndexByte(c.path, '/')+1:]
	if p.consume(FaultResetBefore, endpoint) != nil {
		return &response{hangUp: true}
	}
	if p.consume(FaultHang, endpoint) != nil {
		for p.wait(ctx, p.now.Add(time.Hour)) {
		}
		return &response{hangUp: true}
	}
	if f := p.consume(FaultPage, endpoint); f != nil {
		return page(f.Status, http.StatusText(f.Status))
	}
	resp := p.route(ctx, c)
	if p.consume(FaultResetAfter, endpoint) != nil {
		return &response{hangUp: true, taskID: resp.taskID}
	}
	if f := p.consume(FaultSlow, endpoint); f != nil {
		for until := p.now.Add(f.Duration); p.now.Before(until); {
			if !p.wait(ctx, until) {
				return &response{hangUp: true, taskID: resp.taskID}
			}
		}
	}
	return resp
}

// SelfHeal executes what fix_offline_replicas would, because of an anomaly and not of a request.
func (s *Server) SelfHeal(anomaly string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.process
	if p == nil || p.executor.phase != idle {
		return
	}
	o := &operation{p: p, endpoint: "FIX_OFFLINE_REPLICAS", selfHealing: anomaly, reason: "Self healing for BROKER_FAILURE", estimation: true}
	p.executor.generate(o)
	plan, err := o.makePlan()
	if err != nil || plan.empty() {
		p.executor.release(o)
		return
	}
	p.executor.initialize(o, plan)
}
