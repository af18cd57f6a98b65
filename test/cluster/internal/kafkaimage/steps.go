package kafkaimage

import "koperator.dev/koperator/test/cluster/internal/progress"

// What the steps take on two busy cores with a fast network, to tell the user what to expect.
const (
	usualInstall = "1m30s"
	usualBase    = "10s"
	usualJava    = "10s"
	usualJars    = "10s"
	usualTrain   = "15s"
	usualArchive = "12s"
)

// step does something and tells the user.
func step(reporter *progress.Reporter, what, usual string, do func() error) error {
	s := reporter.Start("Kafka image: "+what, usual)
	err := do()
	s.End(err)
	return err
}
