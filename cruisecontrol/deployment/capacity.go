package deployment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// anyBroker is the entry for brokers that have none of their own. Without it one broker that is not listed stops the
// measuring of all.
const anyBroker = "-1"

const (
	mebibyte = 1 << 20
	kibibyte = 1 << 10
	// unknownNetwork is the capacity of a network of which the spec says nothing, in KB/s. No goal looks at it.
	unknownNetwork = "1000000"
	// wholeCPU is the capacity of a CPU whose cores are not known, in percent.
	wholeCPU = "100"
)

// capacities is capacity.json: what the brokers of a cluster have. All values are strings, or Cruise Control does not start.
//
// It is read when Cruise Control starts, and scaling must not restart what scaling runs on. Brokers are listed only where
// they differ from the entry for all, which is made of the first group with brokers: another broker like those changes
// nothing. It is no estimate, although Cruise Control calls it one, so that operations are to allow estimates.
type capacities struct {
	Brokers []brokerCapacity `json:"brokerCapacities"`
}

type brokerCapacity struct {
	ID       string   `json:"brokerId"`
	Capacity capacity `json:"capacity"`
	Doc      string   `json:"doc,omitempty"`
}

type capacity struct {
	// Disk is MB by log dir, exactly those of Kafka's log.dirs. Whatever Cruise Control does with single disks needs that of
	// every broker.
	Disk map[string]string `json:"DISK"`
	// CPU is percent, or an object with the number of cores: one of the two for all brokers.
	CPU any `json:"CPU"`
	// NetworkIn and NetworkOut are KB/s.
	NetworkIn  string `json:"NW_IN"`
	NetworkOut string `json:"NW_OUT"`
}

func (c capacity) equals(other capacity) bool {
	mine, err := json.Marshal(c)
	theirs, errOther := json.Marshal(other)
	return err == nil && errOther == nil && bytes.Equal(mine, theirs)
}

// capacitiesOf are those of the spec, and of brokers and disks that are still in status: they have data until they are gone.
func capacitiesOf(kc *v1beta1.KafkaCluster) capacities {
	common := commonCapacity(kc)
	all := capacities{Brokers: []brokerCapacity{common}}
	brokers := capacityByBroker(kc, common.Capacity)
	for _, id := range slices.Sorted(maps.Keys(brokers)) {
		if own := brokers[id]; !own.equals(common.Capacity) {
			doc := fmt.Sprintf("spec.brokers[%d] with its group, and disks of it that are still there", id)
			if own.leaving {
				doc = "a broker that is not in the spec any more: its disks as they are"
			}
			all.Brokers = append(all.Brokers, brokerCapacity{ID: strconv.Itoa(int(id)), Capacity: own.capacity, Doc: doc})
		}
	}
	return all
}

// known is what is known of a broker.
type known struct {
	capacity
	// leaving tells a broker that the spec does not have any more: of its CPU nothing is known.
	leaving bool
	// leftDirs are log dirs that the spec does not have any more.
	leftDirs []string
}

// isAs tells whether Cruise Control may take the broker for another: what is left of it is only moved away, for which its
// log dirs are enough.
func (k known) isAs(have capacity) bool {
	if k.leaving {
		return slices.Equal(slices.Sorted(maps.Keys(k.Disk)), slices.Sorted(maps.Keys(have.Disk)))
	}
	want := k.capacity
	want.Disk = maps.Clone(k.Disk)
	for _, dir := range k.leftDirs {
		if size, ok := have.Disk[dir]; ok {
			want.Disk[dir] = size
		}
	}
	return want.equals(have)
}

// commonCapacity is that of the first group with brokers.
func commonCapacity(kc *v1beta1.KafkaCluster) brokerCapacity {
	common := brokerCapacity{ID: anyBroker}
	i := slices.IndexFunc(kc.Spec.BrokerGroups, func(g v1beta1.BrokerGroup) bool { return isBroker(&g) })
	if i >= 0 {
		group := kc.Spec.BrokerGroups[i]
		var cpu any = wholeCPU
		if known := cpuOf(group.Resources); known != nil {
			cpu = cores(*known)
		}
		common.Capacity = newCapacity(kc, group.Storage, cpu)
		common.Doc = fmt.Sprintf("spec.brokerGroups[%s], and every broker without an entry", group.Name)
	}
	return common
}

// capacityByBroker is the capacity of each broker that there is.
func capacityByBroker(kc *v1beta1.KafkaCluster, common capacity) map[int32]known {
	all := map[int32]known{}
	for _, broker := range brokersOf(kc) {
		group := groupOf(kc, broker)
		cpu := common.CPU
		if own := cpuOf(broker.Resources, group.Resources); own != nil && cpu != any(wholeCPU) {
			cpu = cores(*own)
		}
		all[broker.ID] = known{capacity: newCapacity(kc, mergeStorage(group.Storage, broker.Storage), cpu)}
	}
	for _, status := range kc.Status.Brokers {
		own, wanted := all[status.ID]
		if !wanted {
			if isInSpec(kc, status.ID) || len(status.Volumes) == 0 {
				continue // a controller, or nothing is known
			}
			own = known{capacity: newCapacity(kc, nil, common.CPU), leaving: true}
		}
		for _, volume := range status.Volumes {
			own.add(volume)
		}
		all[status.ID] = own
	}
	return all
}

func isInSpec(kc *v1beta1.KafkaCluster, id int32) bool {
	return slices.ContainsFunc(kc.Spec.Brokers, func(b v1beta1.Broker) bool { return b.ID == id })
}

func newCapacity(kc *v1beta1.KafkaCluster, storage []v1beta1.Storage, cpu any) capacity {
	c := capacity{Disk: map[string]string{}, CPU: cpu, NetworkIn: unknownNetwork, NetworkOut: unknownNetwork}
	for _, disk := range storage {
		c.Disk[v1beta1.LogDir(disk.Path)] = units(disk.Size, mebibyte)
	}
	if network := kc.Spec.CruiseControl.NetworkCapacity; network != nil {
		c.NetworkIn, c.NetworkOut = units(network.Inbound, kibibyte), units(network.Outbound, kibibyte)
	}
	return c
}

// mergeStorage gives the disks of a broker: those of its group, with its own size where it has one, and its own.
func mergeStorage(group, broker []v1beta1.Storage) []v1beta1.Storage {
	merged := slices.Clone(group)
	for _, own := range broker {
		at := slices.IndexFunc(merged, func(s v1beta1.Storage) bool { return s.Path == own.Path })
		if at < 0 {
			merged = append(merged, own)
			continue
		}
		merged[at] = own
	}
	return merged
}

// add adds a disk that Kafka still has if the spec does not have it any more.
func (k *known) add(volume v1beta1.VolumeStatus) {
	dir := v1beta1.LogDir(volume.Path)
	if _, ok := k.Disk[dir]; ok {
		return
	}
	size, err := resource.ParseQuantity(volume.Capacity)
	if err != nil {
		return // it is not bound, and holds nothing
	}
	k.Disk[dir] = units(size, mebibyte)
	k.leftDirs = append(k.leftDirs, dir)
}

// cpuOf is the CPU of the first level that says one: what a broker may use, else what it has for sure.
func cpuOf(levels ...*corev1.ResourceRequirements) *resource.Quantity {
	for _, list := range []func(*corev1.ResourceRequirements) corev1.ResourceList{
		func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Limits },
		func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests },
	} {
		for _, level := range levels {
			if level == nil {
				continue
			}
			if cpu, ok := list(level)[corev1.ResourceCPU]; ok && !cpu.IsZero() {
				return &cpu
			}
		}
	}
	return nil
}

func cores(cpu resource.Quantity) any {
	return map[string]string{"num.cores": strconv.FormatFloat(float64(cpu.MilliValue())/1000, 'f', -1, 64)}
}

// units is a quantity in whole units, at least one: nothing would be no capacity.
func units(q resource.Quantity, unit int64) string {
	return strconv.FormatInt(max(q.Value()/unit, 1), 10)
}

// render is capacity.json.
func (c capacities) render() (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(c)
	return text.String(), err
}

// of is what Cruise Control takes for the capacity of a broker.
func (c capacities) of(id int32) capacity {
	for _, name := range []string{strconv.Itoa(int(id)), anyBroker} {
		for _, broker := range c.Brokers {
			if broker.ID == name {
				return broker.Capacity
			}
		}
	}
	return capacity{}
}

// otherBroker is a broker that Cruise Control, which has read one file, takes for something else than it is. An entry of a
// broker that is gone is no reason to restart anything.
func otherBroker(kc *v1beta1.KafkaCluster, loaded string) (id int32, found bool) {
	var have capacities
	if err := json.Unmarshal([]byte(loaded), &have); err != nil {
		have = capacities{}
	}
	all := capacityByBroker(kc, commonCapacity(kc).Capacity)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if !all[id].isAs(have.of(id)) {
			return id, true
		}
	}
	return 0, false
}
