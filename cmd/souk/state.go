package main

import (
	"context"
	"io"
	"os"

	"github.com/soukproject/souk/frameworks/chronos"
	"github.com/soukproject/souk/frameworks/marathon"
	"github.com/soukproject/souk/internal/backup"
	"github.com/soukproject/souk/internal/leader/zkleader"
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
	return []backup.Service{
		{
			Name: "master", File: master.RegistryFile, Format: zkleader.Masters(),
			Election: master.ElectionURL, State: master.RegistryURL,
		},
		{
			Name: "marathon", File: marathon.StateFile, Format: zkleader.Latches(),
			Election: marathon.ElectionURL, State: marathon.StateURL,
		},
		{
			Name: "chronos", File: chronos.StateFile, Format: zkleader.Latches(),
			Election: chronos.ElectionURL, State: chronos.StateURL,
		},
	}
}
