package cruisecontrol_test

import (
	"io"
	"net/http"
	"testing"
)

// post sends what the client would not.
func post(t *testing.T, w *world, endpoint string) (int, string) {
	t.Helper()
	return raw(t, http.MethodPost, w.url+"/"+endpoint, nil)
}

func get(t *testing.T, w *world, endpoint string) (int, string) {
	t.Helper()
	return raw(t, http.MethodGet, w.url+"/"+endpoint, nil)
}

func raw(t *testing.T, method, url string, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
