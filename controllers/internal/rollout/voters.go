package rollout

import (
	"fmt"
	"strings"

	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/controllers/internal/quorum"
)

// keepsMajority tells whether the quorum keeps a majority of caught-up voters while the controller is stopped. The stop
// of a controller that does not vote changes nothing.
func (p *planner) keepsMajority(c *state) bool {
	left, _ := p.votersWithout(c)
	return quorum.IsMajority(left, len(p.Quorum.Voters)) || !p.votes(c.ID)
}

// isMajorityLostAnyway tells a quorum of one or two voters, which loses its majority with the restart of any of them,
// whatever is done. It is allowed while every voter is caught up; more controllers in the cluster are waited for.
func (p *planner) isMajorityLostAnyway(c *state) bool {
	controllers, caughtUp := 0, 0
	for i := range p.Nodes {
		if p.Nodes[i].Controller {
			controllers++
		}
	}
	for _, voter := range p.Quorum.Voters {
		if p.isVoterLive(voter) {
			caughtUp++
		}
	}
	return controllers <= 2 && caughtUp == len(p.Quorum.Voters) && p.votes(c.ID)
}

// votersWithout counts the voters that are caught up and are not the controller, and names those that are not caught up.
func (p *planner) votersWithout(c *state) (caughtUp int, missing []kafka.QuorumReplica) {
	for _, voter := range p.Quorum.Voters {
		switch {
		case voter.ID == c.ID:
		case p.isVoterLive(voter):
			caughtUp++
		default:
			missing = append(missing, voter)
		}
	}
	return caughtUp, missing
}

// isVoterLive tells whether a voter counts. Kafka takes a while to notice that one is gone; its Pod may tell sooner.
func (p *planner) isVoterLive(voter kafka.QuorumReplica) bool {
	if s := p.state(voter.ID); s != nil && (!s.Ready || s.Stopped || s.Stopping) {
		return false
	}
	return quorum.IsVoterCaughtUp(p.Quorum, voter, p.FetchTimeout)
}

func (p *planner) votes(id int32) bool {
	for _, voter := range p.Quorum.Voters {
		if voter.ID == id {
			return true
		}
	}
	return false
}

// missingVotersReturn tells whether one of the voters that are missing for a majority is on its way: it is a node of the
// cluster, and not broken.
func (p *planner) missingVotersReturn(c *state) bool {
	_, missing := p.votersWithout(c)
	for _, voter := range missing {
		if s := p.state(voter.ID); s != nil && !s.Broken {
			return true
		}
	}
	return false
}

func (p *planner) describeVoters(missing []kafka.QuorumReplica) string {
	var parts []string
	for _, voter := range missing {
		if s := p.state(voter.ID); s != nil && !s.Ready {
			parts = append(parts, fmt.Sprintf("controller %d is not ready", voter.ID))
			continue
		}
		parts = append(parts, fmt.Sprintf("controller %d is %d records behind", voter.ID, voter.Lag))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
