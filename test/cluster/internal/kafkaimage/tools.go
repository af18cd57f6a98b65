package kafkaimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"koperator.dev/koperator/test/cluster/internal/progress"
)

// tool is something of this machine that a build needs, and the Debian package it is in.
type tool struct {
	what, pkg string
	present   func() bool
}

var tools = []tool{
	{what: "mmdebstrap", pkg: "mmdebstrap", present: inPath("mmdebstrap")},
	{what: "Maven", pkg: "maven", present: inPath("mvn")},
	{what: "a JDK 17 with jlink", pkg: "openjdk-17-jdk-headless", present: func() bool { _, err := findJDK(); return err == nil }},
}

func inPath(program string) func() bool {
	return func() bool { _, err := exec.LookPath(program); return err == nil }
}

// requireTools installs what is missing, or says what it is.
func requireTools(ctx context.Context, reporter *progress.Reporter) error {
	if hostSuite() == "" {
		return errors.New("building the Kafka image needs a machine with Debian: the image is made of its packages and its Java")
	}
	if os.Geteuid() != 0 {
		return errors.New("building the Kafka image needs root: Java runs in the new root file system before it is packed (once it is in the cache, any user gets it)")
	}
	missing := missingTools()
	if len(missing) == 0 {
		return nil
	}
	err := step(reporter, "installing "+describe(missing), usualInstall, func() error { return install(ctx, missing) })
	if err != nil {
		return fmt.Errorf("installing %s for the Kafka image (do it by hand: apt-get install %s): %w", describe(missing), packagesOf(missing), err)
	}
	if missing = missingTools(); len(missing) > 0 {
		return fmt.Errorf("the Kafka image needs %s, still missing after apt-get install %s", describe(missing), packagesOf(missing))
	}
	return nil
}

func missingTools() []tool {
	var missing []tool
	for _, t := range tools {
		if !t.present() {
			missing = append(missing, t)
		}
	}
	return missing
}

func install(ctx context.Context, missing []tool) error {
	if err := run(ctx, "apt-get", "-q", "update"); err != nil {
		return err
	}
	return run(ctx, "apt-get", append([]string{"-q", "-y", "--no-install-recommends", "install"}, strings.Fields(packagesOf(missing))...)...)
}

func describe(ts []tool) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.what
	}
	return strings.Join(names, ", ")
}

func packagesOf(ts []tool) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.pkg
	}
	return strings.Join(names, " ")
}

// run runs a program of this machine and shows what it said only if it failed.
func run(ctx context.Context, program string, args ...string) error {
	return runIn(ctx, "", nil, program, args...)
}

func runIn(ctx context.Context, dir string, env []string, program string, args ...string) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "DEBIAN_FRONTEND=noninteractive"), env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w\n%s", program, err, tail(output.String(), 30))
	}
	return nil
}

// tail is the end of a text, a number of lines of it.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
