package main

import (
	"context"
	"os"

	"github.com/soukproject/souk/agent"
	"github.com/soukproject/souk/frameworks/chronos"
	"github.com/soukproject/souk/frameworks/marathon"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/local"
	"github.com/soukproject/souk/master"
)

// daemons are listed in the order a cluster starts.
func daemons() []command {
	return []command{
		{"local", "a whole cluster on this machine, in one process", local.Usage, runLocal},
		{"master", "decide who is offered what", master.Usage, runMaster},
		{"agent", "offer a machine and run tasks on it", agent.Usage, runAgent},
		{"marathon", "run long-lived services", marathon.Usage, runMarathon},
		{"chronos", "run scheduled jobs", chronos.Usage, runChronos},
	}
}

func runMaster(ctx context.Context, args []string) error {
	cfg, err := master.ParseFlags(args, os.Environ())
	if err != nil {
		return err
	}
	cfg.Build.Version = version
	log, level, closeLog, err := daemon.NewLogger(master.LogName, cfg.Logging)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg.Log, cfg.Level = log, level
	return leader.Again(ctx, log, func(ctx context.Context) error { return master.Run(ctx, cfg) })
}

func runAgent(ctx context.Context, args []string) error {
	cfg, err := agent.ParseFlags(args, os.Environ())
	if err != nil {
		return err
	}
	cfg.Build.Version = version
	log, level, closeLog, err := daemon.NewLogger(agent.LogName, cfg.Logging)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg.Log, cfg.Level = log, level
	return agent.Run(ctx, cfg)
}

func runMarathon(ctx context.Context, args []string) error {
	cfg, err := marathon.ParseFlags(args, os.Environ())
	if err != nil {
		return err
	}
	log, _, closeLog, err := daemon.NewLogger("souk-marathon", cfg.Logging)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg.Log = log
	return leader.Again(ctx, log, func(ctx context.Context) error { return marathon.Run(ctx, cfg) })
}

func runChronos(ctx context.Context, args []string) error {
	cfg, err := chronos.ParseFlags(args, os.Environ())
	if err != nil {
		return err
	}
	log, _, closeLog, err := daemon.NewLogger("souk-chronos", cfg.Logging)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg.Log = log
	return leader.Again(ctx, log, func(ctx context.Context) error { return chronos.Run(ctx, cfg) })
}

func runLocal(ctx context.Context, args []string) error {
	cfg, err := local.ParseFlags(args, os.Environ())
	if err != nil {
		return err
	}
	log, level, closeLog, err := daemon.NewLogger("souk", cfg.Logging)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg.Version, cfg.Log, cfg.Level, cfg.Out = version, log, level, os.Stdout
	return local.Run(ctx, cfg)
}
