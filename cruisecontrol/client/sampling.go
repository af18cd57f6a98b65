package client

import "context"

// PauseSampling implements Client.
func (c *client) PauseSampling(ctx context.Context, reason string) error {
	return c.sampling(ctx, "pause_sampling", reason)
}

// ResumeSampling implements Client.
func (c *client) ResumeSampling(ctx context.Context, reason string) error {
	return c.sampling(ctx, "resume_sampling", reason)
}

func (c *client) sampling(ctx context.Context, endpoint, reason string) error {
	params := &parameters{}
	params.bool("json", true)
	params.reason(reason)
	_, err := tell[done](ctx, c, post(endpoint, params))
	return err
}
