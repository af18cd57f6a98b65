package client

import "context"

// FixOfflineReplicasParameters of POST fix_offline_replicas.
type FixOfflineReplicasParameters struct {
	GoalParameters
	ExecutionParameters
}

// FixOfflineReplicas implements Client.
func (c *client) FixOfflineReplicas(ctx context.Context, s Submission, p FixOfflineReplicasParameters) (Answer[Plan], error) {
	params := s.parameters()
	p.GoalParameters.addTo(params)
	p.ExecutionParameters.addTo(params, c.cfg)
	params.bool("skip_hard_goal_check", p.SkipHardGoalCheck)
	return c.submit(ctx, "fix_offline_replicas", s, params)
}
