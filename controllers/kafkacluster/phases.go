package kafkacluster

// phases is a pass, in order. Repair comes before everything that asks Kafka, and what only waits comes last.
var phases = []phase{
	{"registering the finalizer", (*scope).registerFinalizer},
	{"checking the spec", (*scope).checkSpec},
	{"applying services and policies", (*scope).applyNetwork},
	{"issuing certificates", (*scope).issueCertificates},
	{"claiming volumes", (*scope).claimVolumes},
	{"repairing Pods", (*scope).repairPods},
	{"telling racks", (*scope).tellRacks},
	{"resizing Pods", (*scope).resizePods},
	{"asking Kafka", (*scope).askKafka},
	{"changing the quorum", (*scope).changeQuorum},
	{"setting dynamic properties", (*scope).setDynamicProperties},
	{"removing disks", (*scope).removeDisks},
	{"restarting", (*scope).restartOne},
	{"removing brokers", (*scope).removeBrokers},
	{"giving back the grant", (*scope).giveBack},
}
