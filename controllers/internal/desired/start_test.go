package desired

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testClusterID = "4L6g3nShT-eMCtK--X86sw"

// machine is a container's file system in a folder, with scripts in place of Kafka's that write down how they were called.
type machine struct {
	t           *testing.T
	root        string
	environment []string
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, root: t.TempDir(), environment: []string{"CLUSTER_ID=" + testClusterID, "KAFKA_HEAP_OPTS=-Xmx1g", "KAFKA_LOG4J_OPTS=-Dl=m"}}
	// As kafka-storage.sh does: what has a meta.properties stays as it is.
	m.script("kafka-storage.sh", `
for dir in $(sed -n 's/^log.dirs=//p' "$3" | tr , ' '); do
  [ -f "$dir/meta.properties" ] || printf 'version=1\ncluster.id=%s\n' "$5" >"$dir/meta.properties"
done`)
	m.script("kafka-server-start.sh", "")
	m.write("etc/kafka/config/server.properties", "# a comment\nlog.dir=no\nlog.dirs="+m.path("disk/a/kafka-logs")+","+m.path("disk/b/kafka-logs")+"\n")
	m.write("run/koperator/.keep", "")
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

func (m *machine) write(name, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(name), []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) script(name, body string) {
	report := `#!/bin/sh
echo "$(basename "$0") $* | $KAFKA_HEAP_OPTS | ${KAFKA_LOG4J_OPTS:-none} | ${KAFKA_OPTS:-none}" >>` + m.path("calls") + "\n"
	m.write("opt/kafka/bin/"+name, report+strings.TrimPrefix(body, "\n")+"\n")
}

func (m *machine) exists(name string) bool {
	_, err := os.Stat(m.path(name))
	return err == nil
}

// command runs the script as the container does, with every absolute path in the machine's folder.
func (m *machine) command(output *bytes.Buffer) *exec.Cmd {
	script := strings.NewReplacer("=/opt/", "="+m.root+"/opt/", "=/etc/", "="+m.root+"/etc/", "=/run/", "="+m.root+"/run/").Replace(startScript)
	command := exec.Command("/bin/sh", "-c", script)
	command.Env = append(os.Environ(), m.environment...)
	command.Stdout, command.Stderr = output, output
	return command
}

// run starts the container and returns what Kafka's scripts were called with, and what was printed.
func (m *machine) run() (calls, output string, err error) {
	var buffer bytes.Buffer
	err = m.command(&buffer).Run()
	return m.calls(), buffer.String(), err
}

func (m *machine) calls() string {
	text, _ := os.ReadFile(m.path("calls"))
	_ = os.Remove(m.path("calls"))
	return strings.ReplaceAll(string(text), m.root, "")
}

const (
	formatted      = "kafka-storage.sh format --config /etc/kafka/config/server.properties --cluster-id " + testClusterID + " --ignore-formatted "
	formatHeap     = " | -Xmx128m | none | none\n"
	formattedLater = formatted + "--no-initial-controllers" + formatHeap
	started        = "kafka-server-start.sh /etc/kafka/config/server.properties | -Xmx1g | -Dl=m | none\n"
)

func (m *machine) expect(want string) {
	m.t.Helper()
	calls, output, err := m.run()
	if err != nil || calls != want || output != "" {
		m.t.Errorf("got %v\n%s\nwant\n%s\nprinted:\n%s", err, calls, want, output)
	}
}

func TestStartFormatsOnce(t *testing.T) {
	m := newMachine(t)
	m.expect(formattedLater + started)
	m.expect(started)
}

func TestStartFormatsANewDisk(t *testing.T) {
	m := newMachine(t)
	m.expect(formattedLater + started)
	if err := os.RemoveAll(m.path("disk/b")); err != nil {
		t.Fatal(err)
	}
	m.expect(formattedLater + started)
}

func TestStartFormatsWhatIsOfAnotherCluster(t *testing.T) {
	m := newMachine(t)
	m.write("disk/a/kafka-logs/meta.properties", "version=1\ncluster.id="+testClusterID+"x\n")
	m.write("disk/b/kafka-logs/meta.properties", "version=1\ncluster.id="+testClusterID+"\n")
	m.expect(formattedLater + started) // and kafka-storage.sh refuses it
}

func TestStartEndsWithAFailureToFormat(t *testing.T) {
	m := newMachine(t)
	m.script("kafka-storage.sh", "echo broken; exit 3")
	calls, output, err := m.run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || strings.Contains(calls, "server-start") || output != "broken\n" {
		t.Errorf("got %v\n%s\n%s", err, calls, output)
	}
	if m.exists("run/koperator/formatted") {
		t.Error("it counts as formatted")
	}
}

// A voter that loses its disk must not vote with an empty log: not when its container restarts, and, because a Pod that
// is made later is not given the voters, not when its Pod does.
func TestStartFormatsAnInitialControllerOnceForEachPod(t *testing.T) {
	m := newMachine(t)
	m.environment = append(m.environment, "INITIAL_CONTROLLERS=0@a:9090:x,1@b:9090:y")
	m.expect(formatted + "--initial-controllers 0@a:9090:x,1@b:9090:y" + formatHeap + started)
	if err := os.RemoveAll(m.path("disk")); err != nil {
		t.Fatal(err)
	}
	m.expect(formattedLater + started)
}

func TestStartMarksWhatIsFormattedAlready(t *testing.T) {
	m := newMachine(t)
	m.expect(formattedLater + started)
	if err := os.Remove(m.path("run/koperator/formatted")); err != nil {
		t.Fatal(err)
	}
	m.environment = append(m.environment, "INITIAL_CONTROLLERS=0@a:9090:x")
	m.expect(started)
	if !m.exists("run/koperator/formatted") {
		t.Error("there is no mark")
	}
}

func TestStartRepeatsAFirstFormatThatFailed(t *testing.T) {
	m := newMachine(t)
	m.environment = append(m.environment, "INITIAL_CONTROLLERS=0@a:9090:x")
	m.script("kafka-storage.sh", "exit 3")
	for range 2 {
		if calls, _, err := m.run(); err == nil || !strings.Contains(calls, "--initial-controllers 0@a:9090:x") {
			t.Errorf("got %v: %s", err, calls)
		}
	}
}

func TestStartGivesTheRack(t *testing.T) {
	m := newMachine(t)
	m.write("etc/kafka/pod/node", "machine-1")
	m.write("etc/kafka/pod/rack", "zone-b")
	m.expect(formattedLater + strings.Replace(started, " |", " --override broker.rack=zone-b |", 1))
}

func TestStartWithoutARackOnThisMachine(t *testing.T) {
	m := newMachine(t)
	m.write("etc/kafka/pod/node", "machine-1")
	m.write("etc/kafka/pod/rack", "")
	m.expect(formattedLater + started)
}

func TestStartWaitsForTheRack(t *testing.T) {
	m := newMachine(t)
	m.write("etc/kafka/pod/node", "")
	m.write("etc/kafka/pod/rack", "")
	var output bytes.Buffer
	command := m.command(&output)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if m.exists("calls") {
		t.Error("it did not wait")
	}
	m.write("etc/kafka/pod/rack", "zone-b")
	m.write("etc/kafka/pod/node", "machine-1")
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	if calls := m.calls(); !strings.Contains(calls, "--override broker.rack=zone-b") {
		t.Errorf("got %s", calls)
	}
	if got := output.String(); got != "koperator: waiting for the rack of this Pod, which broker-manager writes on it\n" {
		t.Errorf("printed %s", got)
	}
}

// The kubelet signals the first process only, and the script is that until it is Kafka.
func TestStartEndsAtOnceOnSIGTERM(t *testing.T) {
	for name, prepare := range map[string]func(*machine){
		"waiting":    func(m *machine) { m.write("etc/kafka/pod/node", "") },
		"formatting": func(m *machine) { m.script("kafka-storage.sh", "exec sleep 60") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			prepare(m)
			var output bytes.Buffer
			command := m.command(&output)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			begun := time.Now()
			_ = command.Process.Signal(syscall.SIGTERM)
			err := command.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 143 || time.Since(begun) > 900*time.Millisecond {
				t.Errorf("got %v after %s", err, time.Since(begun))
			}
		})
	}
}

func TestStartUsesTheArchivesOfTheImage(t *testing.T) {
	m := newMachine(t)
	m.environment = append(m.environment, "KAFKA_OPTS=-Da=b")
	m.write("opt/kafka/storage.jsa", "")
	m.write("opt/kafka/kafka.jsa", "")
	calls, _, err := m.run()
	for _, want := range []string{"-XX:SharedArchiveFile=/opt/kafka/storage.jsa -Da=b\n", "-XX:SharedArchiveFile=/opt/kafka/kafka.jsa -Da=b\n"} {
		if err != nil || !strings.Contains(calls, want) {
			t.Errorf("got %v: %s", err, calls)
		}
	}
}

// A broken disk is Kafka's to judge: it can run on the others.
func TestStartGoesOnWithABrokenDisk(t *testing.T) {
	m := newMachine(t)
	m.write("disk/b", "a file where the disk should be")
	m.script("kafka-storage.sh", "")
	calls, output, err := m.run()
	if err != nil || calls != formattedLater+started || !strings.Contains(output, "/disk/b/kafka-logs cannot be made") {
		t.Errorf("got %v\n%s\n%s", err, calls, output)
	}
}

func TestStartScriptHasNoComments(t *testing.T) {
	if strings.Contains(startScript, "#") && strings.Contains(startScript, "\n#") || !strings.HasPrefix(startScript, "set -eu\n") {
		t.Errorf("got %s", startScript)
	}
}

func TestShellCheck(t *testing.T) {
	program, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("there is no shellcheck")
	}
	if output, err := exec.Command(program, "start.sh").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
