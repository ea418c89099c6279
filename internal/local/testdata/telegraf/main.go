// Command telegraf reads a master and an agent through telegraf's Mesos input, for a
// test, and prints each field that it learned.
package main

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs/mesos"
)

// A printer takes what an input learns; nothing else is asked of it.
type printer struct {
	telegraf.Accumulator
	mu     sync.Mutex
	lines  []string
	failed bool
}

func (p *printer) AddFields(_ string, fields map[string]any, tags map[string]string, _ ...time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, value := range fields {
		p.lines = append(p.lines, fmt.Sprintf("%s %s %v", tags["role"], name, value))
	}
}

func (p *printer) AddError(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Println("error:", err)
	p.failed = true
}

func main() {
	input := &mesos.Mesos{Masters: []string{os.Args[1]}, Slaves: []string{os.Args[2]}, Timeout: 5000}
	p := &printer{}
	p.AddError(input.Gather(p))
	slices.Sort(p.lines)
	for _, line := range p.lines {
		fmt.Println(line)
	}
	if p.failed {
		os.Exit(1)
	}
}
