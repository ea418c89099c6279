package main

import (
	"context"
	"io"
	"os"

	"github.com/soukproject/souk/internal/backup"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/master"
)

func stateCommand(out io.Writer) command {
	return command{
		"state", "take a cluster's state out of its stores into a file, and back", func() string { return backup.Usage(stateful()) },
		func(ctx context.Context, args []string) error {
			return backup.Run(ctx, stateful(), args, os.Environ(), out)
		},
	}
}

// stateful are the daemons that keep state, and where. The first one's is the
// name of the cluster.
func stateful() []backup.Service {
	below := func(names ...string) func(zookeeper.URL) zookeeper.URL {
		return func(u zookeeper.URL) zookeeper.URL { return u.Below(names...) }
	}
	return []backup.Service{
		{
			Name: "master", File: "registry.db", Format: zkleader.Masters(),
			Election: func(u zookeeper.URL) zookeeper.URL { return u }, State: master.RegistryURL,
		},
		{
			Name: "marathon", File: "marathon.db", Format: zkleader.Latches(),
			Election: below("leader-curator"), State: below("souk", "state"),
		},
		{
			Name: "chronos", File: "chronos.db", Format: zkleader.Latches(),
			Election: below("candidate"), State: below("souk", "state"),
		},
	}
}
