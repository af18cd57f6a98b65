package cruisecontrol_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"k8s.io/utils/clock"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/model"
)

// Inside a bubble of synctest everything waits as it would in the field, and nothing takes time: answers that block, a plan that
// takes a minute, an execution of hours, a client that repeats what found nobody.
func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var network kfake.VirtualNetwork
		kafka := model.New(clock.RealClock{})
		for id, rack := range []string{"a", "b", "c"} {
			kafka.AddBroker(ctx, int32(id), rack, "/a")
		}
		kafka.CreateTopic(ctx, "t", 1<<40, []int32{0}, []int32{1}, []int32{0}, []int32{1})
		cfg := cruisecontrol.DefaultConfig()
		cfg.PlanningTime = time.Minute
		s := cruisecontrol.New(ctx, cruisecontrol.Options{Config: cfg, Kafka: kafka, Listen: network.Listen, Address: "127.0.0.1:9090"})
		must[string](t)(s.Start())
		defer s.Close()
		go s.Run(ctx)
		c := must[client.Client](t)(client.New(client.Config{URL: "http://127.0.0.1:9090", Dialer: network.DialContext}))
		defer c.Close()
		time.Sleep(2 * time.Second)

		p := client.AddBrokerParameters{BrokerIDs: []int32{2}, GoalParameters: goals()}
		start := time.Now()
		a := must[client.Answer[client.Plan]](t)(c.AddBroker(ctx, client.Execute("a"), p))
		if a.Result != nil || time.Since(start) != cfg.MaxBlockTime {
			t.Errorf("got %+v after %v", a, time.Since(start))
		}
		for a.Result == nil {
			a = must[client.Answer[client.Plan]](t)(c.AddBroker(ctx, client.Execute("a").Continue(a.TaskID), p))
		}
		wantEqual(t, "planning", time.Since(start), time.Minute)
		state := func() client.ExecutorPhase {
			return must[client.Answer[client.State]](t)(c.State(ctx, client.StateParameters{Substates: []client.Substate{client.SubstateExecutor}})).Result.Executor.Phase
		}
		time.Sleep(time.Hour)
		wantEqual(t, "after an hour", state(), client.InterBrokerReplicaMovementInProgress)
		time.Sleep(4 * time.Hour)
		wantEqual(t, "after five", state(), client.NoTaskInProgress)
		s.Kill()
		_, err := c.State(ctx, client.StateParameters{})
		wantClass(t, err, client.Unreachable)
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "after a restart", state(), client.NoTaskInProgress)
		cancel()
		synctest.Wait()
	})
}
