package cruisecontrol

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"koperator.dev/koperator/test/cruisecontrol/internal/javajson"
)

// board is where two-step verification parks requests.
type board struct {
	parked []*parked
}

type parked struct {
	call   *call
	at     int64
	status string // PENDING_REVIEW, APPROVED, SUBMITTED, DISCARDED
}

// review parks a POST, or lets one through that was approved. Nil: go on.
func (p *process) review(c *call) *response {
	if c.endpoint.name == "REVIEW" {
		return p.decide(c)
	}
	id, submits := c.parameters.get("review_id")
	switch {
	case submits && len(c.parameters) > 1:
		return p.failed(c, http.StatusBadRequest, true, "review_id parameter must be mutually exclusive with other parameters (Request parameters: %s).", c.parameters.key())
	case submits:
		return p.submit(c, id)
	}
	p.board.parked = append(p.board.parked, &parked{call: c, at: p.now.UnixMilli(), status: "PENDING_REVIEW"})
	return p.said(http.StatusOK, c.wantsJSON(), javajson.Object{"RequestInfo": p.board.list(p.board.parked[len(p.board.parked)-1:], len(p.board.parked)-1)})
}

// submit runs what was parked, with the parameters that it had.
func (p *process) submit(c *call, id string) *response {
	i, err := strconv.Atoi(id)
	if err != nil || i < 0 || i >= len(p.board.parked) || p.board.parked[i].status != "APPROVED" {
		return p.failed(c, http.StatusBadRequest, true, "No request with review id %s has been approved.", id)
	}
	p.board.parked[i].status = "SUBMITTED"
	w, err := p.parse(p.board.parked[i].call)
	if err != nil {
		return p.failed(c, http.StatusBadRequest, true, "%s", err)
	}
	t, err := p.tasks.getOrCreate(c, w)
	if err != nil {
		return p.failed(c, http.StatusInternalServerError, true, "Error processing POST request '%s' due to: '%s'.", c.pathInfo(), err)
	}
	return &response{status: http.StatusOK, kind: textPlain, body: "Submitted.\n", taskID: t.id}
}

// decide approves and discards.
func (p *process) decide(c *call) *response {
	q := &parser{parameters: c.parameters}
	for status, ids := range map[string][]int32{"APPROVED": q.brokers("approve"), "DISCARDED": q.brokers("discard")} {
		for _, id := range ids {
			if id >= 0 && int(id) < len(p.board.parked) {
				p.board.parked[id].status = status
			}
		}
	}
	if q.err != nil {
		return p.failed(c, http.StatusBadRequest, true, "%s", q.err)
	}
	return p.said(http.StatusOK, c.wantsJSON(), javajson.Object{"RequestInfo": p.board.list(p.board.parked, 0)})
}

func (b *board) list(requests []*parked, first int) []any {
	all := []any{}
	for i, r := range requests {
		all = append(all, javajson.Object{
			"Id": first + i, "SubmitterAddress": r.call.client, "SubmissionTimeMs": r.at, "Status": r.status,
			"EndpointWithParams": strings.ToUpper(r.call.endpoint.name) + r.call.parameters.shown(), "Reason": "Awaiting review.",
		})
	}
	return slices.Clip(all)
}
