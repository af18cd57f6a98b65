package client

import "context"

// RemoveDisksParameters of POST remove_disks. It takes no others: how it is executed is configured.
type RemoveDisksParameters struct {
	// BrokerIDAndLogDirs lose all replicas. Cruise Control does not remember them: a later rebalance moves replicas back.
	BrokerIDAndLogDirs LogDirs
}

// RemoveDisks implements Client.
func (c *client) RemoveDisks(ctx context.Context, s Submission, p RemoveDisksParameters) (Answer[Plan], error) {
	params := s.parameters()
	params.logDirs("brokerid_and_logdirs", p.BrokerIDAndLogDirs)
	params.need("brokerid_and_logdirs")
	return c.submit(ctx, "remove_disks", s, params)
}
