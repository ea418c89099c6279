package simulation

import (
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"
)

func (c *Cluster) trace(format string, args ...any) {
	if c.opts.Trace != nil {
		c.opts.Trace(fmt.Sprintf("%12v  ", c.now.Sub(c.start)) + fmt.Sprintf(format, args...))
	}
}

// traceEvent notes a step.
func (c *Cluster) traceEvent(who string, ev any) {
	c.result[Steps]++
	if c.opts.Trace != nil {
		c.trace("%s <- %s", who, describe(ev))
	}
}

// traceEffect notes what a step wants done.
func (c *Cluster) traceEffect(who string, e any) {
	if c.opts.Trace != nil {
		c.trace("%s    %s", who, describe(e))
	}
}

// describe is a value on one line, cut to a length that can be read.
func describe(v any) string {
	text := strings.Join(strings.Fields(fmt.Sprintf("%T%+v", v, v)), " ")
	text = addresses.ReplaceAllString(strings.TrimPrefix(text, "core."), "0x…")
	if len(text) > 400 {
		text = text[:400] + "…"
	}
	return text
}

// addresses of memory differ between two runs of a seed.
var addresses = regexp.MustCompile(`0x[0-9a-f]{6,}`)

// examine reports whether a core's own invariants are to be looked at after this
// step. That costs more than the step, so not every one is: a break stays to be
// seen later, and a replay with a trace finds the first.
func (c *Cluster) examine() bool {
	return c.opts.Trace != nil || c.result[Steps]%examineEvery == 0
}

const examineEvery = 23

// clone keeps what one process sends apart from what another does with it. Cores
// promise not to change messages, so that some runs do without.
func clone[M proto.Message](c *Cluster, m M) M {
	if c.shared {
		return m
	}
	return proto.CloneOf(m)
}
