package supervisor

import (
	"encoding/json"
	"fmt"
	"os"

	"koperator.dev/koperator/test/cluster/internal/layout"
)

// Command is the command by which this program is a supervisor. Its argument is the cluster's name.
const Command = "supervise"

// ProgramName is the supervisor's file among the cluster's programs: a copy of this program, which init is as well.
const ProgramName = "cluster"

// Config is what the supervisor has to know and cannot find out.
type Config struct {
	CNIPlugins string
	// PauseImage is a tar.
	PauseImage string
}

// WriteConfig leaves it in the cluster's folder.
func WriteConfig(cluster layout.Cluster, config Config) error {
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(configFile(cluster), data, 0o644)
}

func readConfig(cluster layout.Cluster) (Config, error) {
	var config Config
	data, err := os.ReadFile(configFile(cluster))
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return config, fmt.Errorf("reading the supervisor's configuration: %w", err)
	}
	return config, nil
}

func configFile(cluster layout.Cluster) string { return cluster.Path("supervisor.json") }
