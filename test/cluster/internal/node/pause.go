package node

import (
	"context"
	"fmt"
	"path/filepath"

	"koperator.dev/koperator/test/cluster/internal/image"
)

// PauseImage holds the namespaces of every Pod.
const PauseImage = "localhost/" + pauseName + ":" + pauseTag

const (
	pauseName = "pause"
	pauseTag  = "1"
)

// PauseImageTar returns the image's tar, made from the program in a folder.
func PauseImageTar(ctx context.Context, cache image.Cache, programs string) (string, error) {
	program := image.Program{Name: pauseName, Tag: pauseTag, Binary: filepath.Join(programs, pauseName)}
	file, err := program.Tar(ctx, cache)
	if err != nil {
		return "", fmt.Errorf("making the image of %s: %w", pauseName, err)
	}
	return file, nil
}
