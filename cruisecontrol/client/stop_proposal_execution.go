package client

import "context"

// done is the answer of requests that say only that they arrived.
type done struct {
	Message string `json:"message"`
}

// StopProposalExecution implements Client. stop_external_agent is true by default, and would cancel every reassignment of the
// cluster while Cruise Control itself does nothing.
func (c *client) StopProposalExecution(ctx context.Context, reason string) error {
	params := &parameters{}
	params.bool("stop_external_agent", false)
	params.bool("force_stop", false)
	params.bool("json", true)
	params.reason(reason)
	_, err := tell[done](ctx, c, post("stop_proposal_execution", params))
	return err
}
