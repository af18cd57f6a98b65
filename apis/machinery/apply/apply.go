// Package apply is the only caller of server-side apply in the programs of Koperator.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Applier writes the objects of one cluster under the field owner of a program, and only those that need it: what
// was applied once is not sent again until the content differs or somebody else has changed the object. Its memory is
// an optimisation: a fresh Applier sends everything once, which changes nothing.
type Applier struct {
	client client.Client
	owner  client.FieldOwner

	mu   sync.Mutex
	sent map[string]sent
}

type sent struct {
	hash            [sha256.Size]byte
	resourceVersion string
}

// New makes an Applier for a program: see the field owners of v1beta1.
func New(c client.Client, owner string) *Applier {
	return &Applier{client: c, owner: client.FieldOwner(owner), sent: map[string]sent{}}
}

// Apply makes the object in the API server what obj says, as far as obj says anything, and tells whether a request was
// needed. live is the object as the cache has it, nil if it has none.
func (a *Applier) Apply(ctx context.Context, obj runtime.ApplyConfiguration, live client.Object) (bool, error) {
	body, err := json.Marshal(obj)
	if err != nil {
		return false, fmt.Errorf("marshalling: %w", err)
	}
	head, err := headOf(body)
	if err != nil {
		return false, err
	}
	hash := sha256.Sum256(body)
	if a.isCurrent(head, hash, live) {
		return false, nil
	}
	if err := a.client.Apply(ctx, obj, a.owner, client.ForceOwnership); err != nil {
		return true, fmt.Errorf("applying %s %s: %w", head.Kind, head.Metadata.Name, err)
	}
	return true, a.remember(obj, hash)
}

// Status writes obj as the status of its object.
func (a *Applier) Status(ctx context.Context, obj runtime.ApplyConfiguration) error {
	if err := a.client.Status().Apply(ctx, obj, a.owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying status: %w", err)
	}
	return nil
}

func (a *Applier) isCurrent(h head, hash [sha256.Size]byte, live client.Object) bool {
	if isNil(live) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.sent[h.key()]
	if !ok || known.hash != hash {
		return false
	}
	// A cache that lags behind our own write shows an older version: nothing to repair there either.
	order, err := resourceversion.CompareResourceVersion(live.GetResourceVersion(), known.resourceVersion)
	return err == nil && order <= 0
}

// remember reads the resource version from the answer, which the client puts into obj.
func (a *Applier) remember(obj runtime.ApplyConfiguration, hash [sha256.Size]byte) error {
	body, err := json.Marshal(obj)
	if err != nil {
		return fmt.Errorf("marshalling the answer: %w", err)
	}
	head, err := headOf(body)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent[head.key()] = sent{hash: hash, resourceVersion: head.Metadata.ResourceVersion}
	return nil
}

type head struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace       string `json:"namespace"`
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
}

func (h head) key() string { return h.Kind + "/" + h.Metadata.Namespace + "/" + h.Metadata.Name }

func headOf(body []byte) (head, error) {
	var h head
	if err := json.Unmarshal(body, &h); err != nil {
		return head{}, fmt.Errorf("reading kind and name: %w", err)
	}
	return h, nil
}

// isNil also finds the nil pointer in a non-nil interface, which a missing map entry becomes.
func isNil(obj client.Object) bool {
	return obj == nil || reflect.ValueOf(obj).IsNil()
}
