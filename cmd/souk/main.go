// Command souk is the cluster manager: its daemons as subcommands, a whole
// cluster of them in one process, and the commands that ask a cluster. Each
// daemon is a package of its own, the commands are package client; this one
// chooses and starts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/soukproject/souk/agent/containerizer/posix"
	"github.com/soukproject/souk/internal/client"
	"github.com/soukproject/souk/internal/daemon"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], client.Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	if exit := (*client.Exit)(nil); errors.As(err, &exit) {
		os.Exit(exit.Status)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "souk:", err)
		os.Exit(1)
	}
}

// A command is one subcommand. run may return daemon.ErrHelp: usage is printed then.
type command struct {
	name, summary string
	usage         func() string
	run           func(ctx context.Context, args []string) error
}

// commands lists all: what a cluster is made of, what asks one, and
// what moves its state.
func commands(t client.Terminal) []command {
	all := daemons()
	for _, c := range client.Commands() {
		all = append(all, command{c.Name, c.Summary, c.Usage, func(ctx context.Context, args []string) error {
			return c.Run(ctx, args, os.Environ(), t)
		}})
	}
	return append(all, stateCommand(t.Out))
}

func run(ctx context.Context, args []string, t client.Terminal) error {
	if len(args) == 2 && args[0] == "shim" { // an agent without souk-containerizer starts this beside each task
		os.Exit(posix.Shim(args[1]))
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		usage(t.Out)
		return nil
	}
	if args[0] == "version" || args[0] == "--version" {
		fmt.Fprintln(t.Out, "souk", version)
		return nil
	}
	for _, c := range commands(t) {
		if c.name == args[0] {
			return c.start(ctx, args[1:], t.Out)
		}
	}
	return fmt.Errorf("there is no command %q: see 'souk help'", args[0])
}

func (c command) start(ctx context.Context, args []string, out io.Writer) error {
	err := c.run(ctx, args)
	if errors.Is(err, daemon.ErrHelp) {
		fmt.Fprint(out, c.usage())
		return nil
	}
	return err
}

func usage(out io.Writer) {
	fmt.Fprint(out, "Usage: souk COMMAND [flags]\n\n")
	for _, c := range commands(client.Terminal{}) {
		fmt.Fprintf(out, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(out, "  version    print the version\n\n'souk COMMAND --help' lists the flags of one command.\n")
}
