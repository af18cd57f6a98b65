package deployment

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"koperator.dev/koperator/apis/kafka/v1beta1"
	"koperator.dev/koperator/apis/machinery/properties"
)

// running is what the API server has after what was made is applied.
func running(t *testing.T, made *Rollout, secrets string) Input {
	t.Helper()
	in := Input{ConfigMap: &corev1.ConfigMap{}, Deployment: &appsv1.Deployment{}, Secrets: secrets}
	for from, to := range map[any]any{made.ConfigMap: in.ConfigMap, made.Deployment: in.Deployment} {
		body, err := json.Marshal(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, to); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

// Scaling does not restart what it runs on, and whatever changes what plans are made of does, once it may.
func TestWhatRestartsCruiseControl(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1beta1.KafkaCluster)
		want   string
	}{
		"nothing": {func(*v1beta1.KafkaCluster) {}, ""},
		"a broker like the others": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{ID: 105, Group: "default"})
		}, ""},
		"a broker less": {func(kc *v1beta1.KafkaCluster) { kc.Spec.Brokers = slices.Delete(kc.Spec.Brokers, 1, 2) }, ""},
		"a broker that is drained keeps its disks": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Brokers = slices.DeleteFunc(kc.Spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == 103 })
			kc.Status.Brokers = append(kc.Status.Brokers, v1beta1.BrokerStatus{ID: 103, Phase: v1beta1.BrokerDraining, Volumes: []v1beta1.VolumeStatus{
				{Path: "/var/lib/kafka/a", Capacity: "512Gi"}, {Path: "/var/lib/kafka/b", Capacity: "512Gi"}, {Path: "/var/lib/kafka/c", Capacity: "1Ti"},
			}})
		}, ""},
		"a disk that is drained": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Brokers[4].Storage = nil
			kc.Status.Brokers = append(kc.Status.Brokers, v1beta1.BrokerStatus{ID: 103, Volumes: []v1beta1.VolumeStatus{
				{Path: "/var/lib/kafka/c", Capacity: "1100Gi", Phase: v1beta1.VolumeDraining},
			}})
		}, ""},
		"a broker that is gone": {func(kc *v1beta1.KafkaCluster) {
			kc.Status.Brokers = slices.DeleteFunc(kc.Status.Brokers, func(b v1beta1.BrokerStatus) bool { return b.ID == 99 })
		}, ""},
		"a disk that is gone": {func(kc *v1beta1.KafkaCluster) {
			kc.Status.Brokers[3].Volumes = kc.Status.Brokers[3].Volumes[:2]
		}, "broker 104 has other disks, CPU or network than it is planned with"},
		"a broker with another disk": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.Brokers = append(kc.Spec.Brokers, v1beta1.Broker{
				ID: 105, Group: "default", Storage: []v1beta1.Storage{{Path: "/var/lib/kafka/a", Size: resource.MustParse("2Ti")}},
			})
		}, "broker 105 has other disks, CPU or network than it is planned with"},
		"a disk more for all": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.BrokerGroups[1].Storage = append(kc.Spec.BrokerGroups[1].Storage, v1beta1.Storage{Path: "/e", Size: resource.MustParse("1Ti")})
		}, "broker 100 has other disks, CPU or network than it is planned with"},
		"a property": {func(kc *v1beta1.KafkaCluster) { kc.Spec.CruiseControl.Config["num.partition.metrics.windows"] = "9" }, "property num.partition.metrics.windows changed"},
		"the image":  {func(kc *v1beta1.KafkaCluster) { kc.Spec.CruiseControl.Image = "b" }, "image: example.com/cruise-control:2.5.146 -> b"},
		"its Pod": {func(kc *v1beta1.KafkaCluster) {
			kc.Spec.CruiseControl.PodTemplate = &runtime.RawExtension{Raw: []byte(`{"metadata": {"labels": {"team": "other"}}}`)}
		}, "its Pod changed"},
		"Kafka's version": {func(kc *v1beta1.KafkaCluster) { kc.Spec.Version = "4.4.0" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			kc := readCluster(t, "sample")
			now := running(t, plan(t, kc, Input{Secrets: "s"}), "s")
			test.change(kc)
			next := plan(t, kc, now)
			if next.Reason != test.want {
				t.Fatalf("got %q, want %q", next.Reason, test.want)
			}
			if outdated := Outdated(kc, now.ConfigMap); outdated != test.want && outdated != "" {
				t.Errorf("operations wait for something else: %q", outdated)
			}
			after := running(t, next, "s")
			if test.want == "" && (after.Deployment.Annotations[v1beta1.AnnotationIntent] != now.Deployment.Annotations[v1beta1.AnnotationIntent] ||
				after.ConfigMap.Data[CapacityKey] != now.ConfigMap.Data[CapacityKey]) {
				t.Error("without a reason, applying would restart Cruise Control or change what it is taken to have read")
			}
			if again := plan(t, kc, after); again.Reason != "" {
				t.Errorf("it does not settle: %s", again.Reason)
			}
		})
	}
}

// Both objects are written one after the other. A crash between them is made up for.
func TestConfigMapWithoutDeployment(t *testing.T) {
	kc := readCluster(t, "sample")
	before := running(t, plan(t, kc, Input{Secrets: "s"}), "s")
	kc.Spec.CruiseControl.Config["num.partition.metrics.windows"] = "9"
	half := running(t, plan(t, kc, before), "s")
	half.Deployment = before.Deployment
	if got := plan(t, kc, half).Reason; got != "its files were not rolled out yet" {
		t.Errorf("got %q", got)
	}
}

func TestRenewedCertificatesRestartCruiseControl(t *testing.T) {
	kc := readCluster(t, "sample")
	in := running(t, plan(t, kc, Input{Secrets: "s"}), "s")
	in.Secrets = "t"
	if got := plan(t, kc, in).Reason; got != "its certificates or credentials are new" {
		t.Errorf("got %q", got)
	}
}

func TestMayRoll(t *testing.T) {
	idle := Activity{Runs: true, KafkaAnswers: true}
	for name, test := range map[string]struct {
		change func(*Activity)
		want   string
	}{
		"idle":                            {func(*Activity) {}, ""},
		"an operation":                    {func(a *Activity) { a.Operation = "drain" }, "OperationInProgress"},
		"somebody else's plan":            {func(a *Activity) { a.Executes = true }, "Executing"},
		"Kafka moves":                     {func(a *Activity) { a.Reassignments = 3 }, "Reassigning"},
		"Kafka is silent":                 {func(a *Activity) { a.KafkaAnswers = false }, "KafkaUnreachable"},
		"it does not run, whatever moves": {func(a *Activity) { *a = Activity{Operation: "drain", Reassignments: 3} }, ""},
	} {
		a := idle
		test.change(&a)
		if wait, may := MayRoll(a); wait.Reason != test.want || may != (test.want == "") || may == (wait.Message != "") {
			t.Errorf("%s: got %v %v, want %q", name, may, wait, test.want)
		}
	}
}

// What an operation waits for may be just the restart.
func TestOperationsThatWaitDoNotHoldARestart(t *testing.T) {
	for phase, want := range map[v1beta1.OperationPhase]bool{
		v1beta1.OperationQueued: false, v1beta1.OperationWaitingForMonitor: false, v1beta1.OperationAwaitingApproval: false,
		v1beta1.OperationRecovering: false, v1beta1.OperationProposing: true, v1beta1.OperationSubmitting: true,
		v1beta1.OperationExecuting: true, v1beta1.OperationStopping: true, v1beta1.OperationSucceeded: false,
	} {
		if got := WorksFor(phase); got != want {
			t.Errorf("%s: got %t", phase, got)
		}
	}
}

func TestConfigIsLaidOverDefaultsOnly(t *testing.T) {
	kc := readCluster(t, "sample")
	kc.Spec.CruiseControl.Config = v1beta1.CruiseControlConfig{"min.valid.partition.ratio": "0.5", "two.step.verification.enabled": "true", "my.own": "ü\n#"}
	got, err := properties.Parse(Properties(kc))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"min.valid.partition.ratio": "0.5", "two.step.verification.enabled": "false", "my.own": "ü\n#"} {
		if got[key] != want {
			t.Errorf("%s=%q, want %q", key, got[key], want)
		}
	}
}

// Cruise Control does not start unless hard goals are default goals, and default goals are supported.
func TestGoalsAreSubsets(t *testing.T) {
	for _, cc := range []v1beta1.CruiseControl{
		{},
		{NetworkCapacity: &v1beta1.NetworkCapacity{}},
		{Goals: []v1beta1.Goal{"DiskUsageDistributionGoal"}},
		{HardGoals: []v1beta1.Goal{"CpuCapacityGoal"}},
		{Goals: []v1beta1.Goal{"IntraBrokerDiskCapacityGoal", "KafkaAssignerEvenRackAwareGoal"}, HardGoals: []v1beta1.Goal{"RackAwareGoal"}},
	} {
		g := goalsOf(&cc)
		for _, subset := range [][2][]v1beta1.Goal{{g.hard, g.wanted}, {g.wanted, g.supported}} {
			for _, goal := range subset[0] {
				if !slices.Contains(subset[1], goal) {
					t.Errorf("%+v: %s is not in %v", cc, goal, subset[1])
				}
			}
		}
		if len(g.wanted) == 0 || len(g.disk) == 0 || slices.ContainsFunc(g.supported, isDiskGoal) {
			t.Errorf("%+v: %+v", cc, g)
		}
		if slices.ContainsFunc(g.wanted, func(goal v1beta1.Goal) bool {
			return cc.NetworkCapacity == nil && (strings.HasPrefix(string(goal), "Network") || goal == "PotentialNwOutGoal")
		}) {
			t.Errorf("%+v: goals about a network that nobody knows: %v", cc, g.wanted)
		}
	}
	if got := classes([]v1beta1.Goal{"RackAwareGoal", "KafkaAssignerEvenRackAwareGoal"}); got != goalPackage+"RackAwareGoal,"+assignerPackage+"KafkaAssignerEvenRackAwareGoal" {
		t.Error(got)
	}
}

// Cores are known of all brokers or of none, or Cruise Control does not start.
func TestCoresByAllOrByNone(t *testing.T) {
	kc := readCluster(t, "sample")
	for _, change := range []func(){
		func() {},
		func() { kc.Spec.BrokerGroups[1].Resources = nil },
	} {
		change()
		kinds := map[bool]int{}
		for _, broker := range capacitiesOf(kc).Brokers {
			_, percent := broker.Capacity.CPU.(string)
			kinds[percent]++
		}
		if len(kinds) != 1 {
			t.Errorf("%v", kinds)
		}
	}
}

func TestNothingIsMadeForACruiseControlOfSomebodyElse(t *testing.T) {
	kc := readCluster(t, "sample")
	kc.Spec.CruiseControl = &v1beta1.CruiseControl{External: &v1beta1.ExternalCruiseControl{URL: "https://example.com"}}
	if plan(t, kc, Input{}) != nil || Service(kc) != nil || ServiceAccount(kc) != nil || NetworkPolicy(kc, "") != nil || Budget(kc, true) != nil || APISecret(kc, nil) != nil {
		t.Error("something is made")
	}
	if Outdated(kc, &corev1.ConfigMap{}) != "" || AllowsEstimates(kc) {
		t.Error("what somebody else configures is taken for ours")
	}
	if topics := Topics(kc); len(topics) != 1 || topics[0].Name != metricsTopic {
		t.Errorf("brokers report to a topic all the same: %v", topics)
	}
	kc.Spec.CruiseControl = nil
	if Topics(kc) != nil {
		t.Error("topics without Cruise Control")
	}
}
