package desired

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Who runs the reporter: brokers alone, if there is an image that it can be copied from, and nobody who does not want it.
func TestWhoHasTheReporter(t *testing.T) {
	external := &v1beta1.ExternalCruiseControl{URL: "https://cruise-control.example.com"}
	for name, c := range map[string]struct {
		spec  *v1beta1.CruiseControl
		image string
	}{
		"no Cruise Control":   {nil, ""},
		"its own image":       {&v1beta1.CruiseControl{Image: "cc"}, "cc"},
		"another image":       {&v1beta1.CruiseControl{Image: "cc", MetricsReporter: &v1beta1.MetricsReporter{Image: "reporter"}}, "reporter"},
		"switched off":        {&v1beta1.CruiseControl{Image: "cc", MetricsReporter: &v1beta1.MetricsReporter{Enabled: ptr.To(false)}}, ""},
		"external":            {&v1beta1.CruiseControl{External: external, MetricsReporter: &v1beta1.MetricsReporter{Enabled: ptr.To(true)}}, ""},
		"external with image": {&v1beta1.CruiseControl{External: external, MetricsReporter: &v1beta1.MetricsReporter{Image: "reporter"}}, "reporter"},
	} {
		kc := readCluster(t, "cruise-control")
		kc.Spec.CruiseControl = c.spec
		if HasReporter(kc, nodeOf(t, kc, 0)) {
			t.Errorf("%s: a controller has it", name)
		}
		broker := nodeOf(t, kc, 100)
		pod, err := Pod(kc, broker, inputOf(kc, broker))
		if err != nil {
			t.Fatal(err)
		}
		var image string
		for _, container := range pod.Spec.InitContainers {
			image = *container.Image
		}
		if _, reports := valuesOf(kc, broker)[reporterProperty]; image != c.image || reports != (c.image != "") {
			t.Errorf("%s: the image is %q, want %q, and the broker is told of it: %v", name, image, c.image, reports)
		}
	}
}

const reporterProperty = "cruise.control.metrics.reporter.bootstrap.servers"

// Another broker, and a cluster that grows beyond three brokers, restart nobody.
func TestReporterDoesNotDependOnTheNumberOfBrokers(t *testing.T) {
	kc := readCluster(t, "cruise-control")
	before := valuesOf(kc, nodeOf(t, kc, 100))
	for id := range int32(5) {
		kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: 101 + id, Group: "default"})
	}
	for key, value := range valuesOf(kc, nodeOf(t, kc, 100)) {
		if strings.HasPrefix(key, "cruise.control.") && before[key] != value {
			t.Errorf("%s was %s and is %s", key, before[key], value)
		}
	}
}

func TestReportersOfTheUserStay(t *testing.T) {
	kc := readCluster(t, "cruise-control")
	for _, c := range []struct{ config, want string }{
		{"", kafkaReporter + "," + reporterClass},
		{"com.example.R", "com.example.R," + reporterClass},
		{" a , b,", "a,b," + reporterClass},
		{reporterClass + ", a", reporterClass + ",a"},
	} {
		kc.Spec.Config = v1beta1.Config{}
		if c.config != "" {
			kc.Spec.Config["metric.reporters"] = c.config
		}
		if got := valuesOf(kc, nodeOf(t, kc, 100))["metric.reporters"]; got != c.want {
			t.Errorf("%q: got %q, want %q", c.config, got, c.want)
		}
	}
}

// The shell itself copies what matches, and says what to do when nothing does.
func TestCopyingTheReporter(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	script := strings.ReplaceAll(copyReporter, reporterPath, to)
	run := func(glob string) (string, error) {
		out, err := exec.Command("/bin/sh", "-c", script, "copy", glob).CombinedOutput()
		return string(out), err
	}
	glob := from + "/cruise*/reporter-*.jar"
	if out, err := run(glob); err == nil || !strings.Contains(out, "metricsReporter.jar") || !strings.Contains(out, glob) {
		t.Errorf("without a file: %v, %s", err, out)
	}
	if err := os.MkdirAll(filepath.Join(from, "cruise-control"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "cruise-control", "reporter-2.5.146.jar"), []byte("jar"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // an init container can run again
		if out, err := run(glob); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	if got, err := os.ReadFile(filepath.Join(to, "reporter-2.5.146.jar")); err != nil || string(got) != "jar" {
		t.Errorf("got %q, %v", got, err)
	}
}

// The metadata log stays where it is, whatever becomes of the disk in the spec, and a disk that cannot be mounted is none.
func TestMetadataLogStays(t *testing.T) {
	kc := readCluster(t, "own")
	node := nodeOf(t, kc, 100)
	paths := Disks{}.Paths(node)
	if len(paths) != 2 {
		t.Fatal(paths)
	}
	disks := Disks{Extra: []string{"/var/lib/kafka/z"}, Missing: paths[:1], Metadata: "/var/lib/kafka/z"}
	properties := ServerProperties(kc, node, disks)
	pod, err := Pod(kc, node, inputOf(kc, node))
	if err != nil {
		t.Fatal(err)
	}
	intent, err := NewIntent(pod, properties)
	if err != nil {
		t.Fatal(err)
	}
	config := ConfigMap(kc, node, properties, intent)
	if got := MetadataPath(config.Data); got != "/var/lib/kafka/z" {
		t.Errorf("the metadata log is on %s", got)
	}
	if got, want := intent.properties["log.dirs"], v1beta1.LogDir(paths[1])+","+v1beta1.LogDir("/var/lib/kafka/z"); got != want {
		t.Errorf("log.dirs are %s, want %s", got, want)
	}
	if got := MetadataPath(nil); got != "" {
		t.Errorf("nothing says where it is, but it is on %s", got)
	}
}
