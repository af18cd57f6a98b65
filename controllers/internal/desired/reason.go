package desired

import (
	"fmt"
	"regexp"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/controllers/internal/serverproperties"
)

// Where things that are worth words of their own are in a Pod.
const (
	kafkaPath  = "spec.containers[" + KafkaContainer + "]."
	imagePath  = kafkaPath + "image"
	scriptPath = kafkaPath + "command[2]"

	versionPath = "metadata.labels." + v1beta1.LabelVersion
)

const (
	longestValue  = 100 // worth showing in full
	longestReason = 500 // status has room for twice that
)

var (
	diskPath = regexp.MustCompile(`^spec\.containers\[kafka\]\.volumeMounts\[([^\]]*)\]\.mountPath$`)
	envPath  = regexp.MustCompile(`\.env\[([^\]]*)\]\.`)
)

// RestartReason is the first difference between what a node's Pod was made from and what it would be made from now, in
// words: the image before disks before properties before the rest of the Pod. It is empty when there is none. Values
// that may be secret are not in it. A Pod of which it is not known what it was made from (have is nil) has a reason too.
func RestartReason(have, want *Intent) string {
	reason := []rune(firstDifference(have, want))
	if len(reason) > longestReason {
		return string(reason[:longestReason]) + "..."
	}
	return string(reason)
}

func firstDifference(have, want *Intent) string {
	if have == nil {
		return "it is not known what its Pod was made from"
	}
	changes := serverproperties.Diff(flatten(have.pod), flatten(want.pod))
	for _, reason := range []func([]serverproperties.Change) string{imageReason, diskReason} {
		if found := reason(changes); found != "" {
			return found
		}
	}
	if properties := serverproperties.Diff(have.properties, want.properties); len(properties) > 0 {
		return properties[0].String()
	}
	if len(changes) > 0 {
		return podReason(changes[0])
	}
	if have.Hash() != want.Hash() {
		return "its Pod changed"
	}
	return ""
}

func imageReason(changes []serverproperties.Change) string {
	for _, c := range changes {
		if c.Key == imagePath {
			return fmt.Sprintf("image: %s -> %s", c.Have, c.Want)
		}
	}
	return ""
}

func diskReason(changes []serverproperties.Change) string {
	for _, c := range changes {
		if path := diskPath.FindStringSubmatch(c.Key); path != nil {
			return fmt.Sprintf("volume %s %s", path[1], verb(c))
		}
	}
	return ""
}

// podReason is any other difference, by its path in the Pod.
func podReason(c serverproperties.Change) string {
	path := strings.TrimPrefix(c.Key, kafkaPath)
	switch {
	case c.Key == scriptPath:
		return "the start script changed"
	case c.Key == versionPath:
		return fmt.Sprintf("version: %s -> %s", c.Have, c.Want)
	case c.Have == "" || c.Want == "" || !isShowable(c):
		return path + " " + verb(c)
	}
	return fmt.Sprintf("%s: %s -> %s", path, c.Have, c.Want)
}

// isShowable tells whether the values of a change are short and cannot be secret: a user's variable can.
func isShowable(c serverproperties.Change) bool {
	if name := envPath.FindStringSubmatch(c.Key); name != nil && !isOurVariable(name[1]) {
		return false
	}
	return len(c.Have)+len(c.Want) <= longestValue
}

func isOurVariable(name string) bool {
	return name == "KAFKA_HEAP_OPTS" || name == "KAFKA_JVM_PERFORMANCE_OPTS" || name == clusterIDVariable
}

func verb(c serverproperties.Change) string {
	switch {
	case c.Have == "":
		return "added"
	case c.Want == "":
		return "removed"
	}
	return "changed"
}
