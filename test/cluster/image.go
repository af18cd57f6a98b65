package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/kafkaimage"
	"koperator.dev/koperator/test/cluster/internal/progress"
	"koperator.dev/koperator/test/cluster/internal/standin"
)

// newImageCommand makes container images; the paths of their tars go to standard output, all else to standard error.
func newImageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Make container images without a container engine",
	}
	cmd.AddCommand(newKafkaImageCommand(), newEnvoyImageCommand(), newProgramImageCommand(), newStandInImageCommand())
	return cmd
}

func newKafkaImageCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "kafka VERSION",
		Short: "Make the test image of a version of Kafka",
		Long: `Make the test image of a version of Kafka, localhost/kafka:VERSION, and print the path of its tar.

The first time takes about a minute and needs root and a network; from then on the tar is taken from the cache.`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: kafkaimage.Versions,
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, err := image.UserCache(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			tar, err := kafkaimage.Tar(cmd.Context(), args[0], cache, progress.New(os.Stderr))
			if err != nil {
				return err
			}
			return deliver(cmd.OutOrStdout(), tar, output)
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}

func newProgramImageCommand() *cobra.Command {
	var output string
	var program image.Program
	cmd := &cobra.Command{
		Use:   "program NAME BINARY",
		Short: "Make the image of one static program",
		Long:  `Make the image of one static program on an empty root, localhost/NAME:TAG, and print the path of its tar.`,
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, err := image.UserCache(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			program.Name, program.Binary = args[0], args[1]
			tar, err := program.Tar(cmd.Context(), cache)
			if err != nil {
				return err
			}
			return deliver(cmd.OutOrStdout(), tar, output)
		},
	}
	addOutputFlag(cmd, &output)
	cmd.Flags().StringVar(&program.Tag, "tag", "latest", "tag of the image")
	cmd.Flags().StringArrayVar(&program.Args, "arg", nil, "argument of the program, before those of a container; may be repeated")
	return cmd
}

func newStandInImageCommand() *cobra.Command {
	var output string
	var made standin.Image
	cmd := &cobra.Command{
		Use:   standin.Name + " BINARY",
		Short: "Make the image of the stand-in for Cruise Control",
		Long: `Make the image of the stand-in for Cruise Control, localhost/` + standin.Name + `:TAG, and print the path of its tar.
BINARY is test/cruisecontrol/cmd, built without CGO.

There is no Cruise Control in it. It has the layout of one, with a metrics reporter that reports nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, err := image.UserCache(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			made.Binary = args[0]
			tar, err := made.Tar(cmd.Context(), cache, progress.New(os.Stderr))
			if err != nil {
				return err
			}
			return deliver(cmd.OutOrStdout(), tar, output)
		},
	}
	addOutputFlag(cmd, &output)
	cmd.Flags().StringVar(&made.Tag, "tag", "latest", "tag of the image")
	return cmd
}

func addOutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "", "copy the tar to this file")
}

// deliver prints where the tar is, copied to output if that is given.
func deliver(w io.Writer, tar, output string) error {
	if output != "" {
		if err := image.CopyFile(output, tar); err != nil {
			return fmt.Errorf("copying the image: %w", err)
		}
		absolute, err := filepath.Abs(output)
		if err != nil {
			return err
		}
		tar = absolute
	}
	_, err := fmt.Fprintln(w, tar)
	return err
}
