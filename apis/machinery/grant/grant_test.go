package grant_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"koperator.dev/koperator/apis/machinery/grant"
)

var (
	cluster = types.NamespacedName{Namespace: "shop", Name: "orders"}
	noon    = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
)

// server is an API server in memory, with optimistic locking.
func server() client.WithWatch { return fake.NewClientBuilder().Build() }

func request(holder, what string) grant.Request {
	return grant.Request{
		Cluster: cluster, Holder: holder, What: what, Labels: map[string]string{"a": "b"},
		Owner: metav1.OwnerReference{APIVersion: "kafka.koperator.dev/v1beta1", Kind: "KafkaCluster", Name: "orders", UID: "1"},
	}
}

func take(t *testing.T, c client.Client, holder, what string, now time.Time) grant.Grant {
	t.Helper()
	got, err := grant.Take(t.Context(), c, request(holder, what), now)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func read(t *testing.T, c client.Reader) grant.Grant {
	t.Helper()
	got, err := grant.Read(t.Context(), c, cluster)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func same(a, b grant.Grant) bool {
	return a.Holder == b.Holder && a.What == b.What && a.Since.Equal(b.Since)
}

func TestOneHolderAtATime(t *testing.T) {
	c := server()
	if got := read(t, c); !got.IsFree() {
		t.Errorf("held before anybody took it: %+v", got)
	}
	first := grant.Grant{Holder: grant.BrokerManager, What: "restart of broker 101", Since: noon}
	if got := take(t, c, grant.BrokerManager, "restart of broker 101", noon); !same(got, first) {
		t.Errorf("got %+v, want %+v", got, first)
	}
	lease := &coordinationv1.Lease{}
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: grant.Name("orders")}, lease); err != nil || len(lease.OwnerReferences) != 1 || lease.Labels["a"] != "b" {
		t.Errorf("the Lease does not go with its cluster, or has no labels: %+v, %v", lease, err)
	}
	if got := take(t, c, "remove-102", "moving data", noon.Add(time.Minute)); !same(got, first) {
		t.Errorf("a second one got it: %+v", got)
	}
	// What a holder does can change; since when it holds it stays.
	second := grant.Grant{Holder: grant.BrokerManager, What: "restart of broker 102", Since: noon}
	if got := take(t, c, grant.BrokerManager, "restart of broker 102", noon.Add(time.Minute)); !same(got, second) {
		t.Errorf("got %+v, want %+v", got, second)
	}
	if err := grant.Release(t.Context(), c, cluster, "remove-102"); err != nil {
		t.Error(err)
	}
	if got := read(t, c); !same(got, second) {
		t.Errorf("somebody else gave it back: %+v", got)
	}
	if err := grant.Release(t.Context(), c, cluster, grant.BrokerManager); err != nil {
		t.Error(err)
	}
	if got := read(t, c); got != (grant.Grant{}) {
		t.Errorf("it is still held: %+v", got)
	}
	if got := take(t, c, "remove-102", "moving data", noon.Add(time.Hour)); got.Holder != "remove-102" || !got.Since.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %+v", got)
	}
}

func TestReleaseOfNothing(t *testing.T) {
	if err := grant.Release(t.Context(), server(), cluster, grant.BrokerManager); err != nil {
		t.Error(err)
	}
}

// However many take it at once, from nothing or from a grant that was given back, one gets it, and the others know that
// they have not.
func TestTakersAtOnce(t *testing.T) {
	for _, used := range []bool{false, true} {
		t.Run(fmt.Sprintf("used before: %v", used), func(t *testing.T) {
			c := server()
			if used {
				take(t, c, "earlier", "", noon)
				if err := grant.Release(t.Context(), c, cluster, "earlier"); err != nil {
					t.Fatal(err)
				}
			}
			// All have read before anybody writes.
			var reading sync.WaitGroup
			reading.Add(8)
			together := interceptor.NewClient(c, interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					err := c.Get(ctx, key, obj, opts...)
					reading.Done()
					reading.Wait()
					return err
				},
			})
			var winners atomic.Int32
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					holder := fmt.Sprintf("operation-%d", i)
					got, err := grant.Take(t.Context(), together, request(holder, ""), noon)
					switch {
					case err == nil && got.Holder == holder:
						winners.Add(1)
					case err == nil:
						t.Errorf("%s knows of %+v before it was there", holder, got)
					case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err):
						t.Errorf("%s: %v", holder, err)
					}
				})
			}
			all.Wait()
			if n := winners.Load(); n != 1 {
				t.Errorf("%d hold it", n)
			}
		})
	}
}

// The answer to a write is lost, as in a crash: whoever finds that it holds the grant goes on.
func TestAnswerIsLost(t *testing.T) {
	lost := errors.New("lost")
	c := server()
	losing := interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return errors.Join(c.Create(ctx, obj, opts...), lost)
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return errors.Join(c.Update(ctx, obj, opts...), lost)
		},
	})
	if _, err := grant.Take(t.Context(), losing, request(grant.BrokerManager, "restart"), noon); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
	if got := take(t, c, grant.BrokerManager, "restart", noon.Add(time.Minute)); got.Holder != grant.BrokerManager || !got.Since.Equal(noon) {
		t.Errorf("the one that was held is another one: %+v", got)
	}
	if err := grant.Release(t.Context(), losing, cluster, grant.BrokerManager); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
	if err := grant.Release(t.Context(), c, cluster, grant.BrokerManager); err != nil || !read(t, c).IsFree() {
		t.Errorf("giving back twice: %v", err)
	}
}

// Nobody holds what could not be read.
func TestServerIsAway(t *testing.T) {
	away := errors.New("away")
	c := interceptor.NewClient(server(), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return away
		},
	})
	if _, err := grant.Read(t.Context(), c, cluster); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	if got, err := grant.Take(t.Context(), c, request(grant.BrokerManager, ""), noon); !errors.Is(err, away) || !got.IsFree() {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := grant.Release(t.Context(), c, cluster, grant.BrokerManager); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
}
