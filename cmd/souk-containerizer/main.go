//go:build linux && cgo

// Command souk-containerizer is the shim of containers: it starts one, isolated
// or not, and stays its parent until it ends. The agent runs it; it is of no use
// on a command line. It is a program of its own because it links libcontainer,
// and small because it is started twice per container.
package main

import (
	"fmt"
	"os"
	"runtime"

	plain "github.com/soukproject/souk/agent/containerizer/posix/launcher"
	"github.com/soukproject/souk/agent/containerizer/runc/launcher"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// libcontainer moves the thread it runs on into other mount namespaces and then
// discards it; the main thread cannot be discarded, so it must not be used.
func init() { runtime.LockOSThread() }

// Further first arguments are handled before Go begins: see stages.c.
func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "souk-containerizer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "init" {
		launcher.Init() // never returns
	}
	if len(args) == 1 && args[0] == "plan" {
		return launcher.Serve(os.Stdin, os.Stdout)
	}
	if len(args) != 2 {
		return usage(args)
	}
	dir := shim.Dir(args[1])
	switch args[0] {
	case "shim":
		return launcher.Run(dir)
	case "nest":
		return launcher.Nest(dir)
	case "plain":
		spec, pid, err := plain.Start(dir)
		if err != nil {
			return err
		}
		return launcher.Wait(dir, spec, pid, nil)
	}
	return usage(args)
}

func usage(args []string) error {
	return fmt.Errorf("%q: this program is run by the agent: souk-containerizer shim|nest|plain DIR, or plan", args)
}
