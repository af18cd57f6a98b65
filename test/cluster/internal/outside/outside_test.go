package outside

import (
	"slices"
	"testing"
)

func TestEnvironment(t *testing.T) {
	for name, test := range map[string]struct{ caller, want []string }{
		"kubeconfig is set": {
			[]string{"HOME=/root"},
			[]string{"HOME=/root", "KUBECONFIG=/cluster"},
		},
		"the caller's is kept": {
			[]string{"KUBECONFIG=/mine", "HOME=/root"},
			[]string{"KUBECONFIG=/mine", "HOME=/root"},
		},
		"an empty one is none": {
			[]string{"KUBECONFIG="},
			[]string{"KUBECONFIG=/cluster"},
		},
		"proxies go": {
			[]string{"HTTP_PROXY=http://proxy", "https_proxy=http://proxy", "NO_PROXY=localhost", "KUBECONFIG=/mine"},
			[]string{"NO_PROXY=localhost", "KUBECONFIG=/mine"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := environment(test.caller, "/cluster"); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
