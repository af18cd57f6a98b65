package cruisecontrol_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
)

func TestControl(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t)
	w.LogTo(&log)
	control := httptest.NewServer(w.Control())
	defer control.Close()
	do := func(method, path, body string) (int, string) {
		t.Helper()
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, control.URL+path, strings.NewReader(body)))
		resp := must[*http.Response](t)(http.DefaultClient.Do(r))
		defer resp.Body.Close()
		answer := must[[]byte](t)(io.ReadAll(resp.Body))
		return resp.StatusCode, string(answer)
	}
	if code, said := do("POST", "/faults", `{"kind":"CompletedBeforeExecution","endpoint":"add_broker","duration":"6s"}`); code != 200 {
		t.Error(said)
	}
	for _, bad := range []string{"", "{}", `{"kind":"Slow","duration":"soon"}`} {
		if code, _ := do("POST", "/faults", bad); code != 400 {
			t.Errorf("%s: %d", bad, code)
		}
	}
	a := must[client.Answer[client.Plan]](t)(w.add(client.Execute("a"), 3))
	w.pass(5 * time.Second)
	wantEqual(t, "status", w.status(a.TaskID), client.TaskCompleted)
	var requests []cruisecontrol.Request
	_, said := do("GET", "/requests", "")
	if err := json.Unmarshal([]byte(said), &requests); err != nil || len(requests) != 2 || requests[0].Endpoint != "ADD_BROKER" || requests[0].TaskID != string(a.TaskID) || requests[0].Get("reason") != "a" {
		t.Errorf("%v: %s", err, said)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), string(a.TaskID)) {
		t.Errorf("got %s", log.String())
	}
	_, said = do("GET", "/violations", "")
	wantEqual(t, "violations", said, "null\n")
	_, said = do("GET", "/leftovers", "")
	wantEqual(t, "leftovers", said, "null\n")
	do("DELETE", "/requests", "")
	wantEqual(t, "requests", len(w.Requests()), 0)
	do("POST", "/faults", `{"kind":"Hang"}`)
	do("DELETE", "/faults", "")
	do("POST", "/kill", "")
	wantEqual(t, "alive", w.Alive(), false)
	do("POST", "/restart", "")
	wantEqual(t, "alive", w.Alive(), true)
	do("POST", "/terminate", "")
	w.pass(10 * time.Second)
	wantEqual(t, "alive", w.Alive(), false)
}
