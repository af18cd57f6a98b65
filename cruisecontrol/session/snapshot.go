package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"koperator.dev/koperator/cruisecontrol/client"
)

// Interest is what somebody wants to know of Cruise Control again and again.
type Interest struct {
	// Every is how often. Zero: not at all.
	Every time.Duration
	// Monitor too, beside the executor.
	Monitor bool
	// Tasks that are asked for.
	Tasks []client.TaskID
}

// Snapshot is what Cruise Control last said.
type Snapshot struct {
	// At is when it was asked; zero if it never was.
	At time.Time
	// Instance is the process that was there then.
	Instance string
	Executor *client.ExecutorState
	// Monitor is nil if nobody wants to know.
	Monitor *client.MonitorState
	// Tasks are those of Asked that it knows.
	Tasks client.UserTasks
	Asked []client.TaskID
	// Err is why something of it is missing.
	Err error
}

// Task is what was said of a task; nil if nothing was.
func (s *Snapshot) Task(id client.TaskID) *client.UserTask {
	for i := range s.Tasks.Tasks {
		if s.Tasks.Tasks[i].ID == id {
			return &s.Tasks.Tasks[i]
		}
	}
	return nil
}

// Want says who wants to know what from now on.
func (s *Session) Want(who string, interest Interest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.interests[who].Every
	if interest.Every == 0 {
		delete(s.interests, who)
	} else {
		s.interests[who] = interest
	}
	if before != interest.Every {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// Drop says that somebody does not want to know anything of a cluster any more.
func (s *Sessions) Drop(cluster types.NamespacedName, who string) {
	s.mu.Lock()
	session := s.sessions[cluster]
	s.mu.Unlock()
	if session != nil {
		session.Want(who, Interest{})
	}
}

// Last is what Cruise Control last said, without asking it.
func (s *Session) Last() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot
}

// Look returns what Cruise Control said at most maxAge ago of what is wanted, and asks it if that is not known.
func (s *Session) Look(ctx context.Context, maxAge time.Duration, wanted Interest) Snapshot {
	if err := s.looking.take(ctx); err != nil {
		return Snapshot{At: s.sessions.opts.Clock.Now(), Err: err}
	}
	defer s.looking.giveBack()
	s.mu.Lock()
	last, instance := s.snapshot, s.instance
	s.mu.Unlock()
	if last.answers(wanted) && last.Instance == instance && s.sessions.opts.Clock.Since(last.At) <= maxAge {
		return last
	}
	return s.ask(ctx, s.combined(wanted))
}

// answers tells whether a snapshot has what is wanted.
func (s *Snapshot) answers(wanted Interest) bool {
	if s.At.IsZero() || (wanted.Monitor && s.Monitor == nil && s.Err == nil) {
		return false
	}
	return !slices.ContainsFunc(wanted.Tasks, func(id client.TaskID) bool { return !slices.Contains(s.Asked, id) })
}

// combined is what all want together.
func (s *Session) combined(with ...Interest) Interest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all Interest
	for _, one := range s.interests {
		with = append(with, one)
	}
	for _, one := range with {
		all.Monitor = all.Monitor || one.Monitor
		all.Tasks = append(all.Tasks, one.Tasks...)
		if one.Every > 0 && (all.Every == 0 || one.Every < all.Every) {
			all.Every = one.Every
		}
	}
	slices.Sort(all.Tasks)
	all.Tasks = slices.Compact(all.Tasks)
	return all
}

var errPending = errors.New("asking Cruise Control for its state: it is too busy with plans to answer")

// ask asks Cruise Control. s.looking is held.
func (s *Session) ask(ctx context.Context, wanted Interest) Snapshot {
	s.mu.Lock()
	cc := s.cruiseControl
	snapshot := Snapshot{At: s.sessions.opts.Clock.Now(), Instance: s.instance, Asked: wanted.Tasks}
	s.mu.Unlock()
	if cc == nil {
		snapshot.Err = errors.New("there is no client of Cruise Control yet")
		return snapshot
	}
	stateErr := s.askState(ctx, cc, wanted, &snapshot)
	if len(wanted.Tasks) > 0 && !errors.Is(stateErr, client.Unreachable) {
		var err error
		snapshot.Tasks, err = cc.UserTasks(ctx, client.UserTasksParameters{UserTaskIDs: wanted.Tasks})
		stateErr = errors.Join(stateErr, err)
		s.count("user_tasks", err)
	}
	snapshot.Err = s.note(stateErr)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot = snapshot
	return snapshot
}

func (s *Session) askState(ctx context.Context, cc client.Client, wanted Interest, snapshot *Snapshot) error {
	params := client.StateParameters{Substates: []client.Substate{client.SubstateExecutor}, Task: s.stateTask}
	if wanted.Monitor {
		params.Substates = append(params.Substates, client.SubstateMonitor)
	}
	answer, err := cc.State(ctx, params)
	s.count("state", err)
	s.stateTask = ""
	switch {
	case err != nil:
		return err
	case answer.Result == nil:
		s.stateTask = answer.TaskID
		return errPending
	}
	snapshot.Executor, snapshot.Monitor = answer.Result.Executor, answer.Result.Monitor
	if snapshot.Executor == nil || (wanted.Monitor && snapshot.Monitor == nil) {
		return errors.New("asking Cruise Control for its state: the answer lacks a part")
	}
	return nil
}
