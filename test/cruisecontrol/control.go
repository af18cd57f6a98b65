package cruisecontrol

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Control serves what tests do through methods where they cannot, because the stand-in runs in a Pod:
//
//	POST   /faults      {"kind": "ResetAfter", "endpoint": "remove_broker", "duration": "10s"}
//	DELETE /faults
//	POST   /kill        the process dies, and stays dead until
//	POST   /restart
//	POST   /terminate
//	POST   /selfheal
//	GET    /requests    all that have arrived
//	DELETE /requests
//	GET    /violations
//	GET    /leftovers
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", s.controlFaults)
	mux.HandleFunc("DELETE /faults", does(s.Heal))
	mux.HandleFunc("POST /kill", does(s.Kill))
	mux.HandleFunc("POST /terminate", does(s.Terminate))
	mux.HandleFunc("POST /selfheal", does(func() { s.SelfHeal("anomaly") }))
	mux.HandleFunc("DELETE /requests", does(s.Forget))
	mux.HandleFunc("POST /restart", func(w http.ResponseWriter, _ *http.Request) { reply(w, nil, s.Restart()) })
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Requests(), nil) })
	mux.HandleFunc("GET /violations", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Violations(), nil) })
	mux.HandleFunc("GET /leftovers", func(w http.ResponseWriter, r *http.Request) {
		left, err := s.Leftovers(r.Context())
		reply(w, left, err)
	})
	return mux
}

func does(what func()) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		what()
		reply(w, nil, nil)
	}
}

func reply(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (s *Server) controlFaults(w http.ResponseWriter, r *http.Request) {
	var f struct {
		Fault
		Duration string `json:"duration"`
	}
	err := json.NewDecoder(r.Body).Decode(&f)
	if err == nil && f.Duration != "" {
		f.Fault.Duration, err = time.ParseDuration(f.Duration)
	}
	if err == nil && f.Kind == "" {
		err = fmt.Errorf("a fault without a kind")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Inject(f.Fault)
	reply(w, nil, nil)
}
