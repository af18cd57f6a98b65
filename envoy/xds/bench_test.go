package xds

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/envoy/ir"
	"koperator.dev/koperator/envoy/translate"
)

const benchBrokers = 1000

// BenchmarkThousandBrokers is about one fleet with a thousand brokers, in both modes. Simulated proxies are in the same
// process, over TLS, and their time is in all figures but those of Envoy itself.
func BenchmarkThousandBrokers(b *testing.B) {
	for _, mode := range modes {
		b.Run(string(mode), func(b *testing.B) {
			b.Run("EndpointChangeToTenAcks", func(b *testing.B) { benchmarkChange(b, mode, 10, moveBroker) })
			b.Run("BrokerAddedToTenAcks", func(b *testing.B) { benchmarkChange(b, mode, 10, addBroker) })
			b.Run("EndpointChangeToHundredAcks", func(b *testing.B) { benchmarkChange(b, mode, 100, moveBroker) })
			b.Run("FirstSyncOfHundred", func(b *testing.B) { benchmarkFirstSync(b, mode, 100) })
			b.Run("ReconnectOfHundred", func(b *testing.B) { benchmarkReconnect(b, mode, 100) })
			b.Run("EnvoyColdStart", func(b *testing.B) { benchmarkColdStart(b, mode) })
			b.Run("EnvoyEndpointChange", func(b *testing.B) { benchmarkEnvoyChange(b, mode) })
		})
	}
}

// benchFleet has ports that an Envoy on this machine can open.
func benchFleet(b *testing.B, mode v1beta1.ExternalMode) *ir.Fleet {
	b.Helper()
	listener := ir.Listener{Name: "public", Mode: mode, Keepalive: ir.Keepalive{Time: 60, Interval: 15, Probes: 4, UserTimeout: 30}}
	if mode == v1beta1.ExternalSNI {
		listener.Domain, listener.BootstrapHost = domain, "bootstrap."+domain
	}
	fleet := &ir.Fleet{Namespace: "kafka", Cluster: "orders", Revision: translate.LatestRevision, Listeners: []ir.Listener{listener}}
	fleet.Listeners[0].Port = freePorts(b, 1)[0]
	for range benchBrokers {
		addBroker(b, fleet)
	}
	return fleet
}

func addBroker(b *testing.B, fleet *ir.Fleet) {
	listener := &fleet.Listeners[0]
	id := int32(len(listener.Brokers))
	broker := ir.Broker{ID: id, Endpoint: &ir.Endpoint{Address: fmt.Sprintf("10.1.%d.%d", id/250, 1+id%250), Port: 9094, Zone: "zone-a"}}
	if listener.Mode == v1beta1.ExternalSNI {
		broker.Host = fmt.Sprintf("broker-%d.%s", id, domain)
	} else {
		broker.Port = freePorts(b, 1)[0]
	}
	listener.Brokers = append(listener.Brokers, broker)
}

// moveBroker gives one broker another address, each time.
func moveBroker(_ *testing.B, fleet *ir.Fleet) {
	broker := &fleet.Listeners[0].Brokers[500]
	last := strings.LastIndex(broker.Endpoint.Address, ".")
	number, _ := strconv.Atoi(broker.Endpoint.Address[last+1:])
	broker.Endpoint = &ir.Endpoint{Address: fmt.Sprintf("10.9.9.%d", number%250+1), Port: 9094, Zone: "zone-a"}
}

// awaitAcks looks whenever something has changed.
func (p *controlPlane) awaitAcks(b *testing.B, resources Resources, proxies int) {
	b.Helper()
	deadline := time.NewTimer(2 * patience)
	defer deadline.Stop()
	for !p.acceptedByAll(resources, proxies) {
		select {
		case <-p.Changed():
		case <-deadline.C:
			b.Fatal("not all proxies have accepted it")
		}
	}
}

func (p *controlPlane) acceptedByAll(resources Resources, proxies int) bool {
	acks := p.Acks(orders)
	return len(acks) >= proxies && !slices.ContainsFunc(acks, func(a ProxyAcks) bool {
		return !a.Connected || a.Hash != resources.Hash() || len(a.Missing) > 0
	})
}

// crowd are simulated proxies, each with a connection of its own.
type crowd struct {
	proxies []*simulated
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

func (p *controlPlane) gather(b *testing.B, count int) *crowd {
	b.Helper()
	c := &crowd{}
	for i := range count {
		c.proxies = append(c.proxies, newSimulated(fmt.Sprintf("proxy-%d", i)))
	}
	c.connect(b, p)
	return c
}

func (c *crowd) connect(b *testing.B, plane *controlPlane) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	c.cancel = cancel
	certificate := plane.authority.proxy(b, orders)
	for _, proxy := range c.proxies {
		connection := plane.dial(b, certificate)
		c.done.Go(func() {
			defer connection.Close()
			if err := proxy.run(ctx, connection); err != nil && ctx.Err() == nil {
				b.Errorf("%s: %v", proxy.node, err)
			}
		})
	}
}

func (c *crowd) leave() {
	c.cancel()
	c.done.Wait()
}

func (c *crowd) bytes() int {
	sum := 0
	for _, proxy := range c.proxies {
		proxy.mu.Lock()
		sum += proxy.bytes
		proxy.mu.Unlock()
	}
	return sum
}

func benchmarkChange(b *testing.B, mode v1beta1.ExternalMode, proxies int, change func(*testing.B, *ir.Fleet)) {
	plane := startControlPlane(b)
	fleet := benchFleet(b, mode)
	resources := benchTranslate(b, fleet)
	plane.publish(b, orders, resources)
	crowd := plane.gather(b, proxies)
	defer crowd.leave()
	plane.awaitAcks(b, resources, proxies)
	m := newMeter(crowd.bytes)
	for b.Loop() {
		before := frozen(*fleet)
		change(b, fleet)
		m.time(func() {
			m.part("translate", func() { resources = benchUpdate(b, before, resources, *fleet) })
			m.part("publish", func() { plane.publish(b, orders, resources) })
			plane.awaitAcks(b, resources, proxies)
		})
	}
	m.report(b, proxies)
}

func benchmarkFirstSync(b *testing.B, mode v1beta1.ExternalMode, proxies int) {
	plane := startControlPlane(b)
	resources := benchTranslate(b, benchFleet(b, mode))
	plane.publish(b, orders, resources)
	var bytes, heap int
	m := newMeter(func() int { return bytes })
	for b.Loop() {
		var c *crowd
		m.time(func() {
			c = plane.gather(b, proxies)
			plane.awaitAcks(b, resources, proxies)
		})
		bytes += c.bytes()
		heap = heapInUse()
		c.leave()
		plane.forgetAll()
	}
	m.report(b, proxies)
	b.ReportMetric(float64(heap)/(1<<20), "heap-MiB")
}

func benchmarkReconnect(b *testing.B, mode v1beta1.ExternalMode, proxies int) {
	plane := startControlPlane(b)
	resources := benchTranslate(b, benchFleet(b, mode))
	plane.publish(b, orders, resources)
	crowd := plane.gather(b, proxies)
	plane.awaitAcks(b, resources, proxies)
	m := newMeter(crowd.bytes)
	for b.Loop() {
		crowd.leave()
		plane.forgetAll()
		m.time(func() {
			crowd.connect(b, plane)
			plane.awaitAcks(b, resources, proxies)
		})
	}
	m.report(b, proxies)
	crowd.leave()
}

// forgetAll waits until all streams have ended, and does at once what happens after a while.
func (p *controlPlane) forgetAll() {
	f := p.fleet(orders)
	for f.streams() > 0 {
		runtime.Gosched()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proxies = nil
}

func benchmarkColdStart(b *testing.B, mode v1beta1.ExternalMode) {
	plane := startControlPlane(b)
	resources := benchTranslate(b, benchFleet(b, mode))
	plane.publish(b, orders, resources)
	var rss, cpu float64
	m := newMeter(func() int { return plane.sentBytes() })
	for b.Loop() {
		var e *envoy
		m.time(func() {
			e = startEnvoyWith(b, "proxy-a", 2, plane)
			until(b, "Envoy is ready", e.ready)
		})
		plane.awaitAcks(b, resources, 1)
		rss, cpu = e.memory(b), e.cpu(b)
		e.kill()
		plane.forgetAll()
	}
	m.report(b, 1)
	b.ReportMetric(rss/(1<<20), "envoy-RSS-MiB")
	b.ReportMetric(cpu, "envoy-CPU-s")
}

func benchmarkEnvoyChange(b *testing.B, mode v1beta1.ExternalMode) {
	plane := startControlPlane(b)
	fleet := benchFleet(b, mode)
	resources := benchTranslate(b, fleet)
	plane.publish(b, orders, resources)
	startEnvoyWith(b, "proxy-a", 2, plane)
	plane.awaitAcks(b, resources, 1)
	m := newMeter(plane.sentBytes)
	for b.Loop() {
		moveBroker(b, fleet)
		m.time(func() {
			resources = benchTranslate(b, fleet)
			plane.publish(b, orders, resources)
			plane.awaitAcks(b, resources, 1)
		})
	}
	m.report(b, 1)
}

func benchTranslate(b *testing.B, fleet *ir.Fleet) *translate.Resources {
	b.Helper()
	resources, err := translate.Translate(*fleet)
	if err != nil {
		b.Fatal(err)
	}
	return resources
}

func benchUpdate(b *testing.B, before ir.Fleet, made *translate.Resources, fleet ir.Fleet) *translate.Resources {
	b.Helper()
	resources, err := translate.Update(before, made, fleet)
	if err != nil {
		b.Fatal(err)
	}
	return resources
}

// frozen is a fleet whose brokers do not change with those of the other.
func frozen(fleet ir.Fleet) ir.Fleet {
	fleet.Listeners = slices.Clone(fleet.Listeners)
	for i := range fleet.Listeners {
		fleet.Listeners[i].Brokers = slices.Clone(fleet.Listeners[i].Brokers)
	}
	return fleet
}

// meter collects durations and what they consist of.
type meter struct {
	all    []time.Duration
	parts  map[string]time.Duration
	bytes  func() int
	before int
	cpu    time.Duration
}

func newMeter(bytes func() int) *meter {
	return &meter{parts: map[string]time.Duration{}, bytes: bytes, before: bytes(), cpu: processCPU()}
}

func (m *meter) time(what func()) {
	begin := time.Now()
	what()
	m.all = append(m.all, time.Since(begin))
}

func (m *meter) part(name string, what func()) {
	begin := time.Now()
	what()
	m.parts[name] += time.Since(begin)
}

func (m *meter) report(b *testing.B, proxies int) {
	b.Helper()
	slices.Sort(m.all)
	count := len(m.all)
	b.ReportMetric(milliseconds(m.all[count/2]), "p50-ms")
	b.ReportMetric(milliseconds(m.all[min(count-1, count*99/100)]), "p99-ms")
	b.ReportMetric(milliseconds(processCPU()-m.cpu)/float64(count), "CPU-ms/op")
	b.ReportMetric(float64(m.bytes()-m.before)/float64(count*proxies), "bytes/proxy")
	for name, total := range m.parts {
		b.ReportMetric(milliseconds(total)/float64(count), name+"-ms")
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}

// processCPU is of this process, without Envoys.
func processCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// heapInUse leaves out what pools keep, which goes with the second collection.
func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func (e *envoy) kill() {
	_ = e.process.Kill()
	_, _ = e.process.Wait()
}

// memory is what Envoy has resident, after it has written all its statistics once, as a scrape makes it do.
func (e *envoy) memory(b *testing.B) float64 {
	b.Helper()
	if _, _, err := e.get("/stats/prometheus"); err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(e.proc(b, "status")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kilobytes, _ := strconv.Atoi(fields[1])
			return float64(kilobytes) * 1024
		}
	}
	b.Fatal("Envoy has no VmRSS")
	return 0
}

// cpu is in seconds. Its clock has a hundred ticks a second on all architectures of Linux that Go knows.
func (e *envoy) cpu(b *testing.B) float64 {
	b.Helper()
	text := e.proc(b, "stat")
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / 100
}

func (e *envoy) proc(b *testing.B, file string) string {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", e.process.Pid, file))
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}
