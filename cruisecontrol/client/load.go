package client

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
)

// LoadParameters of GET load.
type LoadParameters struct {
	// CapacityOnly reads what the capacity file says, and is the one request that tells of a broker that it leaves out
	// (ConfigError). Not with any of the others.
	CapacityOnly bool
	// Start and End of the time that is looked at. Zero: all of it.
	Start, End time.Time
	// AllowCapacityEstimation lets brokers that the capacity file does not name have the capacity of its entry "-1".
	AllowCapacityEstimation bool
	// PopulateDiskInfo adds the log dirs. It fails (BrokerMissing) while any broker is dead.
	PopulateDiskInfo bool
	// Task continues one.
	Task TaskID
}

// Load is load and capacity of hosts and brokers.
type Load struct {
	Hosts   []HostLoad   `json:"hosts"`
	Brokers []BrokerLoad `json:"brokers"`
}

// HostLoad is the load of all brokers of one host.
type HostLoad struct {
	Host string `json:"Host"` // UNKNOWN_HOST-0 for a dead broker
	Rack string `json:"Rack"` // empty for a dead one
	BasicStats
}

// BrokerState is how a plan sees a broker.
type BrokerState string

const (
	BrokerAlive    BrokerState = "ALIVE"
	BrokerDead     BrokerState = "DEAD" // also while it is being removed
	BrokerNew      BrokerState = "NEW"
	BrokerDemoted  BrokerState = "DEMOTED"
	BrokerBadDisks BrokerState = "BAD_DISKS"
)

// BrokerLoad is the load of one broker.
type BrokerLoad struct {
	Broker      int32       `json:"Broker"`
	BrokerState BrokerState `json:"BrokerState"`
	Host        string      `json:"Host"`
	Rack        string      `json:"Rack"`
	BasicStats
	// DiskState by log dir: with PopulateDiskInfo, and in plans about disks.
	DiskState map[string]DiskStats `json:"DiskState"`
}

// BasicStats are load and capacity: MB, MB/s or KB/s as Cruise Control has them.
type BasicStats struct {
	DiskMB             Float `json:"DiskMB"`
	DiskPct            Float `json:"DiskPct"` // -1 without capacity
	CPUPct             Float `json:"CpuPct"`
	LeaderNwInRate     Float `json:"LeaderNwInRate"`
	FollowerNwInRate   Float `json:"FollowerNwInRate"`
	NwOutRate          Float `json:"NwOutRate"`
	PnwOutRate         Float `json:"PnwOutRate"`
	Replicas           int   `json:"Replicas"`
	Leaders            int   `json:"Leaders"`
	DiskCapacityMB     Float `json:"DiskCapacityMB"`
	NetworkInCapacity  Float `json:"NetworkInCapacity"`
	NetworkOutCapacity Float `json:"NetworkOutCapacity"`
	NumCore            Float `json:"NumCore"`
}

// DiskStats is one log dir.
type DiskStats struct {
	Dead              bool
	DiskMB            Float
	DiskPct           Float
	NumLeaderReplicas int
	NumReplicas       int
}

// UnmarshalJSON reads "DEAD" in place of numbers, or of everything.
func (d *DiskStats) UnmarshalJSON(b []byte) error {
	*d = DiskStats{Dead: bytes.Contains(b, []byte(`"DEAD"`))}
	if len(b) > 0 && b[0] == '"' {
		return nil
	}
	type plain DiskStats
	return json.Unmarshal(b, (*plain)(d))
}

// Load implements Client.
func (c *client) Load(ctx context.Context, p LoadParameters) (Answer[Load], error) {
	params := reading()
	if p.CapacityOnly {
		params.bool("capacity_only", true)
		if p.PopulateDiskInfo || p.AllowCapacityEstimation || !p.Start.IsZero() || !p.End.IsZero() {
			params.refuse("capacity_only", "cannot be combined with other parameters")
		}
	} else {
		params.bool("capacity_only", false)
		params.bool("allow_capacity_estimation", p.AllowCapacityEstimation)
		params.bool("populate_disk_info", p.PopulateDiskInfo)
		params.time("start", p.Start)
		params.time("end", p.End)
	}
	r := get("load", params)
	r.task = p.Task
	return ask[Load](ctx, c, r)
}
