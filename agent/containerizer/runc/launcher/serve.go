//go:build linux && cgo

package launcher

import (
	"errors"
	"io"

	"github.com/soukproject/souk/agent/containerizer/runc/planner"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Serve answers requests for plans until the agent hangs up. Making plans is what
// needs a Go program; done by one for all containers, it is not started for each.
func Serve(in io.Reader, out io.Writer) error {
	made := newFilters()
	for {
		dir, err := planner.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := planner.WriteAnswer(out, answer(shim.Dir(dir), made)); err != nil {
			return err
		}
	}
}

func answer(dir shim.Dir, f *filters) planner.Answer {
	spec, err := dir.ReadSpec()
	var p *plan
	switch {
	case err != nil:
	case spec.Parent != nil && !spec.Config.Apart:
		p, err = nested(dir, spec, f)
	default:
		p, err = planOf(dir, spec, f)
	}
	if err == nil {
		err = p.err
	}
	switch {
	case errors.Is(err, errByLibcontainer):
		return planner.Answer{Kind: planner.None}
	case err != nil:
		return planner.Answer{Kind: planner.Failed, Data: []byte(plain(err).Error())}
	}
	return planner.Answer{Kind: planner.Planned, Data: p.bytes}
}
