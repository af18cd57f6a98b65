package operation

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/kafka"
	"koperator.dev/koperator/cruisecontrol/operation/machine"
)

// plan has moves of many partitions, to brokers at random.
func plan(partitions int) []machine.Move {
	r := rand.New(rand.NewPCG(1, 1))
	var moves []machine.Move
	for i := range int32(partitions) {
		moves = append(moves, machine.Move{
			TopicPartition: kafka.TopicPartition{Topic: "t", Partition: i},
			Old:            []int32{r.Int32N(500), r.Int32N(500), r.Int32N(500)}, New: []int32{r.Int32N(500), r.Int32N(500), r.Int32N(500)},
		})
	}
	return moves
}

func TestPack(t *testing.T) {
	for _, n := range []int{0, 1, 1000} {
		packed, err := pack(plan(n))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(packed); err != nil || !reflect.DeepEqual(got, plan(n)) {
			t.Errorf("%d moves are not the same: %v", n, err)
		}
	}
	if _, err := unpack([]byte("nothing")); err == nil {
		t.Error("nonsense was read")
	}
}

// A plan that does not fit into one ConfigMap is kept in several, and parts of an older one go.
func TestLargeRecord(t *testing.T) {
	inBubble(t, func(w *world) {
		w.add("up", func(spec *v1beta1.CruiseControlOperationSpec) { spec.Suspend = true })
		time.Sleep(5 * time.Second)
		w.killManager()
		w.startManager()
		defer w.killManager()
		keep := func(record machine.Record) *machine.Record {
			s := &scope{Reconciler: w.manager.r, facts: machine.Facts{Operation: w.op("up")}}
			w.must(s.keepRecord(w, record))
			read, _, err := s.fetchRecord(w)
			w.must(err)
			return read
		}
		large := machine.Record{Attempt: 3, Hash: "h", Moves: plan(150_000), Throttle: &machine.Throttle{Rate: 5, Brokers: []int32{1}, Topics: []string{"t"}}}
		if got := keep(large); !reflect.DeepEqual(got, &large) {
			t.Errorf("attempt %d with %d moves", got.Attempt, len(got.Moves))
		}
		list := &corev1.ConfigMapList{}
		w.must(w.api.List(w, list))
		if len(list.Items) < 2 {
			t.Errorf("%d ConfigMaps", len(list.Items))
		}
		for i := range list.Items {
			if n := len(list.Items[i].BinaryData[planKey]); n > partSize {
				t.Errorf("a part of %d bytes", n)
			}
		}
		small := machine.Record{Attempt: 4, Hash: "i", Moves: plan(3)}
		if got := keep(small); !reflect.DeepEqual(got, &small) {
			t.Errorf("got %+v", got)
		}
		w.must(w.api.List(w, list))
		if len(list.Items) != 1 {
			t.Errorf("%d ConfigMaps are left", len(list.Items))
		}
	})
}
