//go:build !linux || !cgo

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "souk-containerizer: built without cgo or not for Linux: rebuild it with CGO_ENABLED=1 and a C compiler")
	os.Exit(1)
}
