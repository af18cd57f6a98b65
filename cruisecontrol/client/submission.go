package client

// TaskID is a User-Task-ID: what Cruise Control calls a request that it works on.
type TaskID string

// Submission says whether a plan is to be executed, and names the request. Its zero value is refused: neither has a default.
type Submission struct {
	mode   string
	reason string
	task   TaskID
}

const (
	dryRun  = "dry run"
	execute = "execution"
)

// DryRun plans and changes nothing. Cruise Control answers it also while it executes something else; what it cannot check
// without executing are the parameters of the execution.
func DryRun(reason string) Submission { return Submission{mode: dryRun, reason: reason} }

// Execute plans and executes the plan. The reason is the only thing by which the task can be found again if the answer is
// lost: a token that no other request has.
func Execute(reason string) Submission { return Submission{mode: execute, reason: reason} }

// Continue asks for the task that the same request with the same parameters made: its progress, its plan, or its error. It
// makes no task and starts nothing.
func (s Submission) Continue(task TaskID) Submission {
	s.task = task
	return s
}

// parameters are those of a request that plans. What is planned replaces nothing that is being executed.
func (s Submission) parameters() *parameters {
	p := &parameters{}
	if s.mode == "" {
		p.refuse("dryrun", "neither DryRun nor Execute was chosen")
	}
	p.bool("dryrun", s.mode != execute)
	p.bool("json", true)
	p.reason(s.reason)
	p.bool("stop_ongoing_execution", false)
	return p
}

// reading starts the parameters of a request that changes nothing. It has no reason: who looks for one in user_tasks finds
// changes only.
func reading() *parameters {
	p := &parameters{}
	p.bool("json", true)
	return p
}

// maxReason is no limit of Cruise Control's, but shown wherever the task is.
const maxReason = 256

// reason adds the token by which the request can be found in user_tasks, where it is shown between other parameters and
// without escapes.
func (p *parameters) reason(token string) {
	switch {
	case token == "":
		p.refuse("reason", "missing")
	case len(token) > maxReason:
		p.refuse("reason", "longer than %d characters", maxReason)
	}
	for _, r := range token {
		if !isTokenChar(r) {
			p.refuse("reason", "%q has characters other than letters, digits, '-', '_' and '.'", token)
		}
	}
	p.text("reason", token)
}

func isTokenChar(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return r == '-' || r == '_' || r == '.'
}
