package storage

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func claim(change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"}}
	c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")}
	c.Status.Phase = corev1.ClaimBound
	c.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	if change != nil {
		change(c)
	}
	return c
}

func TestWantsToGrow(t *testing.T) {
	for name, test := range map[string]struct {
		claim *corev1.PersistentVolumeClaim
		want  bool
	}{
		"larger": {claim(nil), true},
		"same": {claim(func(c *corev1.PersistentVolumeClaim) {
			c.Status.Capacity[corev1.ResourceStorage] = resource.MustParse("2048Mi")
		}), false},
		"not bound": {claim(func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimPending }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wantsToGrow(test.claim); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestSupported(t *testing.T) {
	if err := supported(claim(nil)); err != nil {
		t.Error(err)
	}
	block := corev1.PersistentVolumeBlock
	for name, change := range map[string]func(*corev1.PersistentVolumeClaim){
		"block device": func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeMode = &block },
		"many writers": func(c *corev1.PersistentVolumeClaim) { c.Spec.AccessModes[0] = corev1.ReadWriteMany },
	} {
		if err := supported(claim(change)); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestPersistentVolumeStaysOnItsNode(t *testing.T) {
	retain := corev1.PersistentVolumeReclaimRetain
	o := controller.ProvisionOptions{PVName: "pvc-1", PVC: claim(nil), SelectedNodeName: "node2"}
	o.StorageClass = newClass("local", retain)
	disks := Disks{Dir: "/volumes", Images: "/disks"}
	volume, affinity := place(o)
	v := persistentVolume(o, disks.Path(volume), affinity)
	if v.Spec.Local.Path != "/volumes/node2/pvc-1" || v.Spec.PersistentVolumeReclaimPolicy != retain {
		t.Errorf("got %+v", v.Spec)
	}
	if got := v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values; len(got) != 1 || got[0] != "node2" {
		t.Errorf("the volume may be used on %v", got)
	}
	if got := disks.volumeAt(v.Spec.Local.Path); got != (Volume{Node: "node2", Name: "pvc-1"}) {
		t.Errorf("got %+v", got)
	}
}

func TestVolumeInANetworkIsReachedFromEveryNode(t *testing.T) {
	o := controller.ProvisionOptions{PVName: "pvc-1", PVC: claim(nil), SelectedNodeName: "node2"}
	o.StorageClass = newClass("network", corev1.PersistentVolumeReclaimDelete)
	o.StorageClass.Parameters = map[string]string{ReachParameter: ReachAll}
	volume, affinity := place(o)
	if volume.Node == "node2" {
		t.Errorf("the volume is on %s, and lost with it", volume.Node)
	}
	expression := affinity.Required.NodeSelectorTerms[0].MatchExpressions[0]
	if expression.Key != corev1.LabelHostname || expression.Operator != corev1.NodeSelectorOpExists {
		t.Errorf("the volume may be used where %+v", expression)
	}
}

func TestMediumOfAVolume(t *testing.T) {
	disks := Disks{Dir: t.TempDir(), Images: t.TempDir()}
	v := Volume{Node: "node1", Name: "pvc-1"}
	if got := disks.medium(v); got != InMemory {
		t.Errorf("without an image: got %s", got)
	}
	if err := os.MkdirAll(filepath.Dir(disks.image(v)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := setSize(disks.image(v), 5<<20); err != nil {
		t.Fatal(err)
	}
	if got := disks.medium(v); got != OnDisk {
		t.Errorf("with an image: got %s", got)
	}
	if size, err := disks.size(v, OnDisk); err != nil || size != 5<<20 {
		t.Errorf("got size %d, %v", size, err)
	}
	if _, err := Medium("tape").maker(disks, v); err == nil {
		t.Error("a medium that does not exist passed")
	}
}

func newClass(name string, reclaim corev1.PersistentVolumeReclaimPolicy) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, ReclaimPolicy: &reclaim}
}
