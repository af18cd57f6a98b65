package cruisecontrol

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"koperator.dev/koperator/test/cruisecontrol/backend"
)

// throttleTime is how long Cruise Control sleeps over each broker and each topic whose throttle it sets or removes.
const throttleTime = 10 * time.Second

// throttle sets the throttle of a batch, and goes on when it has slept over it. A stop in that time ends the execution, and
// leaves everything as it is.
func (x *executor) throttle(batch movements, then func()) {
	brokers, topics := throttled(batch)
	rate := strconv.FormatInt(*x.o.throttle, 10)
	for _, id := range brokers {
		x.alter(backend.Resource{Name: strconv.Itoa(int(id))}, map[string]string{backend.LeaderRate: rate, backend.FollowerRate: rate}, nil)
	}
	for topic, entries := range topics {
		x.addEntries(topic, entries)
	}
	x.sleep(len(brokers)+len(topics), then)
}

// unthrottle removes what throttle has set for what has arrived. It hangs while rates are set for the whole cluster.
func (x *executor) unthrottle(then func()) {
	if x.clusterThrottle() {
		x.sleeping = true
		x.after(throttleTime, func() {
			x.sleeping = false
			x.unthrottle(then)
		})
		return
	}
	brokers, topics := throttled(x.inter.finished())
	busy, _ := throttled(x.inter.in(inProgress))
	for _, id := range brokers {
		if !slices.Contains(busy, id) {
			x.alter(backend.Resource{Name: strconv.Itoa(int(id))}, nil, []string{backend.LeaderRate, backend.FollowerRate})
		}
	}
	for topic, entries := range topics {
		x.removeEntries(topic, entries)
	}
	x.sleep(len(brokers)+len(topics), then)
}

// sleep is deaf. What was asked for in the meantime is noticed then.
func (x *executor) sleep(resources int, then func()) {
	x.sleeping = true
	x.after(time.Duration(resources)*throttleTime, func() {
		x.sleeping = false
		if x.stop {
			x.finish(completedWithError)
			return
		}
		then()
	})
}

// throttled are the brokers and topics of movements, with each topic's entries.
func throttled(batch movements) (brokers []int32, topics map[string][]string) {
	topics = map[string][]string{}
	for _, m := range batch {
		all := append(slices.Clone(m.proposal.OldReplicas), m.proposal.Added()...)
		for _, id := range all {
			if !slices.Contains(brokers, id) {
				brokers = append(brokers, id)
			}
			topics[m.proposal.Topic] = append(topics[m.proposal.Topic], fmt.Sprintf("%d:%d", m.proposal.Partition, id))
		}
	}
	return brokers, topics
}

func (x *executor) addEntries(topic string, entries []string) {
	x.alterEntries(topic, func(old []string) []string {
		for _, e := range entries {
			if !slices.Contains(old, e) {
				old = append(old, e)
			}
		}
		return old
	})
}

func (x *executor) removeEntries(topic string, entries []string) {
	x.alterEntries(topic, func(old []string) []string {
		return slices.DeleteFunc(old, func(e string) bool { return slices.Contains(entries, e) })
	})
}

// alterEntries changes the throttled replicas of a topic, but not those of somebody who throttles all of them.
func (x *executor) alterEntries(topic string, change func([]string) []string) {
	r := backend.Resource{Topic: true, Name: topic}
	config := x.config(r)
	set, remove := map[string]string{}, []string{}
	for _, name := range []string{backend.LeaderReplicas, backend.FollowerReplicas} {
		if config[name] == "*" {
			continue
		}
		entries := change(slices.DeleteFunc(strings.Split(config[name], ","), func(e string) bool { return e == "" }))
		if len(entries) == 0 {
			remove = append(remove, name)
		} else {
			set[name] = strings.Join(entries, ",")
		}
	}
	x.alter(r, set, remove)
}

// clusterThrottle tells whether there is a rate for all brokers.
func (x *executor) clusterThrottle() bool {
	config := x.config(backend.Resource{})
	return config[backend.LeaderRate] != "" || config[backend.FollowerRate] != ""
}

func (x *executor) config(r backend.Resource) (config map[string]string) {
	_ = x.p.withKafka(func(ctx context.Context, kafka backend.Interface) (err error) {
		config, err = kafka.Config(ctx, r)
		return err
	})
	return config
}

func (x *executor) alter(r backend.Resource, set map[string]string, remove []string) {
	_ = x.p.withKafka(func(ctx context.Context, kafka backend.Interface) error {
		return kafka.AlterConfig(ctx, r, set, remove)
	})
}
