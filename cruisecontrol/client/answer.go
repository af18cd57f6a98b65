package client

import (
	"context"
	"net/http"
)

// Answer is what Cruise Control says of a task: its result, or how far it is.
type Answer[T any] struct {
	// TaskID continues the task, and finds it in user_tasks. Cruise Control forgets it when it restarts.
	TaskID TaskID
	// Result is nil while the task is being worked on. With a plan that is executed, it is there when the execution begins.
	Result *T
	// Progress is how far it is then.
	Progress []Progress
}

// Progress is how far a task is.
type Progress struct {
	Operation string         `json:"operation"` // "Remove brokers"
	Steps     []ProgressStep `json:"operationProgress"`
}

// ProgressStep is one step of a task: those that were done and the one it is at.
type ProgressStep struct {
	Step                 string `json:"step"` // GENERATING_CLUSTER_MODEL
	Description          string `json:"description"`
	TimeInMs             int64  `json:"time-in-ms"`
	CompletionPercentage Float  `json:"completionPercentage"`
}

// ask sends a request that may take longer than its answer.
func ask[T any](ctx context.Context, c *client, r request) (Answer[T], error) {
	a, err := c.send(ctx, r)
	if err != nil {
		return Answer[T]{}, err
	}
	if a.status == http.StatusAccepted {
		progress, err := decode[struct {
			Progress []Progress `json:"progress"`
		}](r, a)
		return Answer[T]{TaskID: a.task, Progress: progress.Progress}, err
	}
	result, err := decode[T](r, a)
	if err != nil {
		return Answer[T]{TaskID: a.task}, err
	}
	return Answer[T]{TaskID: a.task, Result: &result}, nil
}

// tell sends a request that is answered at once.
func tell[T any](ctx context.Context, c *client, r request) (T, error) {
	a, err := c.send(ctx, r)
	if err != nil {
		var none T
		return none, err
	}
	return decode[T](r, a)
}

// submit sends a request that plans.
func (c *client) submit(ctx context.Context, endpoint string, s Submission, p *parameters) (Answer[Plan], error) {
	r := post(endpoint, p)
	r.task = s.task
	return ask[Plan](ctx, c, r)
}
