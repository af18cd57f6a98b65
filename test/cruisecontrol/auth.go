package cruisecontrol

import (
	"crypto/subtle"
	"net/http"
	"slices"
)

// authenticate asks who somebody is, where anybody is to.
func (p *process) authenticate(c *call) *response {
	cfg := &p.opts.Config
	if cfg.LoginURL != "" && !c.bearer {
		return &response{status: http.StatusFound, headers: map[string]string{"Location": cfg.LoginURL}}
	}
	if cfg.Users == nil {
		return nil
	}
	user, known := cfg.Users[c.user]
	if !known || subtle.ConstantTimeCompare([]byte(user.Password), []byte(c.secret)) == 0 {
		denied := page(http.StatusUnauthorized, "Unauthorized")
		denied.headers = map[string]string{"WWW-Authenticate": `basic realm="DefaultLoginService"`}
		return denied
	}
	return nil
}

// authorize asks whether somebody's role is enough.
func (p *process) authorize(c *call) *response {
	users := p.opts.Config.Users
	if users == nil || slices.Contains(mayUse(c.endpoint), users[c.user].Role) {
		return nil
	}
	return page(http.StatusForbidden, "!role")
}

// mayUse are the roles of an endpoint.
func mayUse(e *endpoint) []Role {
	switch e.name {
	case "KAFKA_CLUSTER_STATE", "USER_TASKS", "REVIEW_BOARD", "PERMISSIONS":
		return []Role{Viewer, Reader, Admin}
	case "BOOTSTRAP", "TRAIN":
		return []Role{Admin}
	}
	if e.method == http.MethodGet {
		return []Role{Reader, Admin}
	}
	return []Role{Admin}
}
