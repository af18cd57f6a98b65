package machine

import (
	"k8s.io/apimachinery/pkg/types"
)

// RecordName is the name of the ConfigMap with the record of an operation.
func RecordName(uid types.UID) string { return "cco-" + string(uid) }
