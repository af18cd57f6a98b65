package standin

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"
)

func TestJarIsWhole(t *testing.T) {
	jar, err := newJar(map[string][]byte{"META-INF/MANIFEST.MF": []byte(manifest), className + ".class": []byte("class")})
	if err != nil {
		t.Fatal(err)
	}
	read, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		t.Fatal(err)
	}
	// Java finds a manifest only where it is the first file.
	if len(read.File) != 2 || read.File[0].Name != "META-INF/MANIFEST.MF" {
		t.Fatalf("%v", read.File)
	}
	class, err := read.Open(className + ".class")
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(class); err != nil || string(content) != "class" {
		t.Errorf("%q, %v", content, err)
	}
}
