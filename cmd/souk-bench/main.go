// Command souk-bench measures a master over the real wire. It joins simulated
// agents over the agent link and frameworks over the v1 scheduler API, launches
// tasks as fast as offers come, and prints what it measured as one JSON object.
// Without simulated agents it needs the scheduler API alone, and measures any
// Mesos-compatible master with whatever agents that has.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/soukproject/souk/internal/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "souk-bench:", err)
		os.Exit(1)
	}
}

// run measures once and writes the report to out, also of a run that failed.
func run(ctx context.Context, args, environ []string, out io.Writer) error {
	cfg, err := parseFlags(args, environ)
	if errors.Is(err, daemon.ErrHelp) {
		_, err = io.WriteString(out, usage())
		return err
	}
	if err != nil {
		return err
	}
	r, err := measure(ctx, cfg)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return r.verdict()
}
