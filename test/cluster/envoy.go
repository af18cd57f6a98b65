package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"koperator.dev/koperator/test/cluster/internal/envoy"
	"koperator.dev/koperator/test/cluster/internal/image"
	"koperator.dev/koperator/test/cluster/internal/progress"
)

func newEnvoyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "envoy",
		Short: "Download Envoy, and print the path of its program for ENVOY_BIN",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := envoy.UserCache(progress.New(os.Stderr))
			if err != nil {
				return err
			}
			program, err := cache.Program(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), program)
			return err
		},
	}
}

func newEnvoyImageCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "envoy",
		Short: "Make the test image of Envoy",
		Long:  "Make the test image of Envoy, " + envoy.Image + ", and print the path of its tar.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			programs, err := envoy.UserCache(progress.New(os.Stderr))
			if err != nil {
				return err
			}
			program, err := programs.Program(cmd.Context())
			if err != nil {
				return err
			}
			cache, err := image.UserCache(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			tar, err := envoy.Tar(cmd.Context(), program, cache)
			if err != nil {
				return err
			}
			return deliver(cmd.OutOrStdout(), tar, output)
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}
