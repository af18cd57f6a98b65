package drain

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"koperator.dev/koperator/envoy/fleet/objects"
)

// Install copies the program that runs into a folder, where the container of Envoy finds it. The copy is there whole or
// not at all.
func Install(folder string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	from, err := os.Open(program)
	if err != nil {
		return fmt.Errorf("opening the program: %w", err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.CreateTemp(folder, "."+objects.ProgramName+"-")
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	if err := write(to, from); err != nil {
		_ = os.Remove(to.Name())
		return fmt.Errorf("copying the program: %w", err)
	}
	if err := os.Rename(to.Name(), filepath.Join(folder, objects.ProgramName)); err != nil {
		_ = os.Remove(to.Name())
		return fmt.Errorf("naming the copy: %w", err)
	}
	return nil
}

func write(to *os.File, from io.Reader) error {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.Chmod(0o555)
	}
	if closed := to.Close(); err == nil {
		err = closed
	}
	return err
}
