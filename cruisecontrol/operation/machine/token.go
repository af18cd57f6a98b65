package machine

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"koperator.dev/koperator/cruisecontrol/client"
)

// Tokens are the reasons of requests, by which Cruise Control's tasks are found again. Each begins with the operation's UID, so
// that all of its attempts are found even if nothing else is known of them. The last letter keeps attempt 1 from being found in
// attempt 10, and an execution from being taken for a dry run of its plan.

func prefixOf(uid types.UID) string { return "cco-" + string(uid) + "-" }

func executionToken(uid types.UID, attempt int32) string {
	return fmt.Sprintf("%s%d-x", prefixOf(uid), attempt)
}

func planToken(uid types.UID, attempt, plan int32) string {
	return fmt.Sprintf("%s%d-%dd", prefixOf(uid), attempt, plan)
}

// stopToken and forgetToken are for requests that make no task that anybody looks for.
func stopToken(uid types.UID, attempt int32) string {
	return fmt.Sprintf("%s%d-s", prefixOf(uid), attempt)
}

func forgetToken(uid types.UID, attempt int32) string {
	return fmt.Sprintf("%s%d-f", prefixOf(uid), attempt)
}

// attemptOf is the attempt of an execution of this operation, or 0.
func attemptOf(uid types.UID, token string) int32 {
	number, ok := strings.CutPrefix(token, prefixOf(uid))
	if !ok {
		return 0
	}
	if number, ok = strings.CutSuffix(number, "-x"); !ok {
		return 0
	}
	attempt, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return 0
	}
	return int32(attempt)
}

// tokenOf is the token of what is being executed: Cruise Control adds client and date to the reason of the request.
func tokenOf(e *client.ExecutorState) string {
	if e == nil {
		return ""
	}
	token, _, _ := strings.Cut(e.TriggeredTaskReason, " ")
	return token
}
