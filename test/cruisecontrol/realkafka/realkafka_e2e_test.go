//go:build e2e

package realkafka_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"koperator.dev/koperator/cruisecontrol/client"
	"koperator.dev/koperator/test/cruisecontrol"
	"koperator.dev/koperator/test/cruisecontrol/backend"
	"koperator.dev/koperator/test/cruisecontrol/realkafka"
)

// processes are four brokers of Kafka with two disks each, in racks a to d; the first is the controller too. The folder named by
// KOPERATOR_KAFKA_HOME holds libs/*.jar.
type processes struct {
	t         *testing.T
	home, dir string
	clusterID string
	quorum    string
	bootstrap []string
}

func startKafka(t *testing.T) *processes {
	t.Helper()
	p := &processes{t: t, home: os.Getenv("KOPERATOR_KAFKA_HOME"), dir: t.TempDir(), clusterID: randomID()}
	if jars, _ := filepath.Glob(filepath.Join(p.home, "libs", "kafka_2.13-*.jar")); len(jars) == 0 {
		t.Skipf("KOPERATOR_KAFKA_HOME=%q has no libs/*.jar of Kafka", p.home)
	}
	p.write("log4j2.yaml", "Configuration:\n  Appenders:\n    Console: {name: C, PatternLayout: {pattern: \"%d %p %m (%c)%n\"}}\n  Loggers:\n    Root: {level: WARN, AppenderRef: [{ref: C}]}\n")
	p.quorum = freeAddress(t)
	for id, rack := range []string{"a", "b", "c", "d"} {
		p.startBroker(id, rack)
	}
	for _, address := range p.bootstrap {
		p.eventually("a broker listens on "+address, func() bool {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
	}
	return p
}

func (p *processes) write(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *processes) startBroker(id int, rack string) {
	p.t.Helper()
	address := freeAddress(p.t)
	roles, listeners, format := "broker", "PLAINTEXT://"+address, "--no-initial-controllers"
	if id == 0 {
		roles, listeners, format = "broker,controller", listeners+",CONTROLLER://"+p.quorum, "--standalone"
	}
	properties := p.write(fmt.Sprintf("%d.properties", id), fmt.Sprintf("process.roles=%s\nnode.id=%d\nlisteners=%s\nadvertised.listeners=PLAINTEXT://%s\n"+
		"controller.quorum.bootstrap.servers=%s\ncontroller.listener.names=CONTROLLER\nlistener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n"+
		"log.dirs=%[6]s/%[2]d-a,%[6]s/%[2]d-b\nbroker.rack=%[7]s\nlog.cleaner.dedupe.buffer.size=2097152\noffsets.topic.num.partitions=1\noffsets.topic.replication.factor=1\nauto.create.topics.enable=false\n",
		roles, id, listeners, address, p.quorum, p.dir, rack))
	if out, err := p.java("kafka.tools.StorageTool", "format", "-t", p.clusterID, "-c", properties, format).CombinedOutput(); err != nil {
		p.t.Fatalf("formatting %d: %v\n%s", id, err, out)
	}
	log, err := os.Create(filepath.Join(p.dir, fmt.Sprintf("%d.log", id)))
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := p.java("kafka.Kafka", properties)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})
	p.bootstrap = append(p.bootstrap, address)
}

func (p *processes) java(main string, args ...string) *exec.Cmd {
	cmd := exec.Command("java", append([]string{
		"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=" + filepath.Join(p.dir, "log4j2.yaml"),
		"-cp", filepath.Join(p.home, "libs", "*"), main,
	}, args...)...)
	// Should the test be killed, its processes go with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// eventually waits for what other processes do.
func (p *processes) eventually(what string, done func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			for id := range 4 {
				log, _ := os.ReadFile(filepath.Join(p.dir, fmt.Sprintf("%d.log", id)))
				p.t.Logf("broker %d: ...%s", id, log[max(0, len(log)-2000):])
			}
			p.t.Fatalf("it does not happen: %s", what)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// randomID is a UUID as Kafka writes it. Kafka refuses those that begin with a dash on its command line.
func randomID() string {
	for {
		var b [16]byte
		_, _ = rand.Read(b[:])
		if id := base64.RawURLEncoding.EncodeToString(b[:]); id[0] != '-' {
			return id
		}
	}
}

// fill makes topic t, with some megabytes in each of twelve partitions on brokers 0 to 2.
func (p *processes) fill() {
	p.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.bootstrap...), kgo.DefaultProduceTopic("t"), kgo.UnknownTopicRetries(-1), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		p.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*time.Minute)
	defer cancel()
	admin := kadm.NewClient(cl)
	p.eventually("a topic can be made", func() bool {
		brokers, err := admin.ListBrokers(ctx)
		return err == nil && len(brokers) == 4
	})
	if _, err := admin.CreateTopic(ctx, 12, 3, nil, "t"); err != nil {
		p.t.Fatal(err)
	}
	value := make([]byte, 100<<10)
	_, _ = rand.Read(value)
	for range 400 {
		cl.Produce(ctx, &kgo.Record{Value: value}, nil)
	}
	if err := cl.Flush(ctx); err != nil {
		p.t.Fatal(err)
	}
}

func TestRealKafka(t *testing.T) {
	p := startKafka(t)
	p.fill()
	kafka, err := realkafka.New(p.bootstrap, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	cfg := cruisecontrol.DefaultConfig()
	cfg.ExecutionProgressCheckInterval, cfg.AutoStopExternalAgent, cfg.MaxActiveUserTasks = time.Second, false, 100
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	s := cruisecontrol.New(ctx, cruisecontrol.Options{Config: cfg, Kafka: kafka})
	url, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	go s.Run(ctx)
	c, err := client.New(client.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	r := &realWorld{p, s, kafka, c}
	t.Run("drain a broker", r.drain)
	t.Run("remove a disk", r.removeDisk)
	t.Run("stop under a throttle", r.stopThrottled)
	if conformance := os.Getenv("CONFORMANCE"); conformance != "" {
		cmd := exec.Command(conformance, "-test.v")
		cmd.Env = append(os.Environ(), "CC_URL="+url, "CC_KAFKA="+strings.Join(p.bootstrap, ","), "CC_MUTATE=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
	}
	if bad := s.Violations(); len(bad) > 0 && os.Getenv("CONFORMANCE") == "" {
		t.Errorf("violations: %v", bad)
	}
}

// realWorld is the stand-in on Kafka's own processes.
type realWorld struct {
	*processes
	s      *cruisecontrol.Server
	kafka  *realkafka.Kafka
	client client.Client
}

func (r *realWorld) cluster(t *testing.T) backend.Cluster {
	t.Helper()
	c, err := r.kafka.Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (r *realWorld) idle(t *testing.T) {
	t.Helper()
	time.Sleep(2 * time.Second)
	r.eventually("the execution ends", func() bool {
		a, err := r.client.State(t.Context(), client.StateParameters{Substates: []client.Substate{client.SubstateExecutor}})
		return err == nil && a.Result.Executor.Phase == client.NoTaskInProgress
	})
	if left, err := r.s.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func goals() client.GoalParameters {
	return client.GoalParameters{AllowCapacityEstimation: true}
}

func (r *realWorld) drain(t *testing.T) {
	time.Sleep(12 * time.Second)
	a, err := r.client.RemoveBroker(t.Context(), client.Execute("drain"), client.RemoveBrokerParameters{BrokerIDs: []int32{3}, GoalParameters: goals()})
	if err != nil || a.Result.IsEmpty() || a.Result.Summary.DataToMoveMB == 0 {
		t.Fatalf("got %+v, %v", a.Result, err)
	}
	r.idle(t)
	for _, p := range r.cluster(t).Partitions {
		if slices.Contains(p.Replicas, 3) || p.Leader == 3 {
			t.Errorf("%+v is still on broker 3", p)
		}
	}
}

func (r *realWorld) removeDisk(t *testing.T) {
	time.Sleep(12 * time.Second)
	dirs := r.cluster(t).Brokers[1].LogDirs
	if len(dirs) != 2 || len(dirs[0].Replicas) == 0 {
		t.Fatalf("got %+v", dirs)
	}
	p := client.RemoveDisksParameters{BrokerIDAndLogDirs: client.LogDirs{1: {dirs[0].Path}}}
	if _, err := r.client.RemoveDisks(t.Context(), client.Execute("disk"), p); err != nil {
		t.Fatal(err)
	}
	r.idle(t)
	if dirs = r.cluster(t).Brokers[1].LogDirs; len(dirs[0].Replicas)+len(dirs[0].Future) != 0 {
		t.Errorf("got %+v", dirs)
	}
}

// stopThrottled slows replication down through Kafka's own properties, and stops in the middle.
func (r *realWorld) stopThrottled(t *testing.T) {
	ctx := t.Context()
	topic := backend.Resource{Topic: true, Name: "t"}
	throttle := []string{backend.LeaderReplicas, backend.FollowerReplicas}
	if err := r.kafka.AlterConfig(ctx, topic, map[string]string{throttle[0]: "*", throttle[1]: "*"}, nil); err != nil {
		t.Fatal(err)
	}
	rates := []string{backend.LeaderRate, backend.FollowerRate}
	for id := range 4 {
		if err := r.kafka.AlterConfig(ctx, backend.Resource{Name: fmt.Sprint(id)}, map[string]string{rates[0]: "100000", rates[1]: "100000"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(12 * time.Second)
	a, err := r.client.AddBroker(ctx, client.Execute("add"), client.AddBrokerParameters{BrokerIDs: []int32{3}, GoalParameters: goals()})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	if moving, err := r.kafka.Reassignments(ctx); err != nil || len(moving) == 0 {
		t.Fatalf("nothing moves: %v", err)
	}
	if err := r.client.StopProposalExecution(ctx, "stop"); err != nil {
		t.Fatal(err)
	}
	r.eventually("the task ends", func() bool {
		list, err := r.client.UserTasks(ctx, client.UserTasksParameters{UserTaskIDs: []client.TaskID{a.TaskID}})
		return err == nil && len(list.Tasks) == 1 && list.Tasks[0].Status == client.TaskCompletedWithError
	})
	for id := range 4 {
		if err := r.kafka.AlterConfig(ctx, backend.Resource{Name: fmt.Sprint(id)}, nil, rates); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.kafka.AlterConfig(ctx, topic, nil, throttle); err != nil {
		t.Fatal(err)
	}
	r.idle(t)
}
