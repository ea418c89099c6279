package simulation

import (
	"time"

	agentcore "github.com/soukproject/souk/agent/core"
)

// plan sets in motion what goes wrong, and what people do meanwhile.
func (c *Cluster) plan() {
	f := c.faults
	for _, a := range c.agents {
		c.accident(f.AgentCrash, func() { a.crash(false) })
		c.accident(f.AgentReboot, func() { a.crash(true) })
		c.accident(f.FullDisk, func() { c.fill(a) })
	}
	c.accident(f.ExecutorCrash, c.crashExecutor)
	c.accident(f.MasterCrash, func() { pick(c, c.masters).crash() })
	c.accident(f.Expiry, c.expireSomething)
	c.accident(f.StoreAway, c.loseStore)
	c.accident(f.FullStore, c.fillStore)
	c.accident(f.Jump, func() { pick(c, c.agents).setClock(c.jump()) })
	c.accident(f.Jump, func() { pick(c, c.masters).setClock(c.jump()) })
	c.accident(f.Cut, c.cutSomething)
	c.accident(f.Isolate, c.isolate)
	c.accident(f.Operate, c.operator.act)
	c.accident(f.Maintenance, c.janitor.begin)
	for _, s := range c.services {
		c.accident(f.InstanceCrash, func() { pick(c, s.instances).crash() })
		c.accident(f.Jump, func() { pick(c, s.instances).jump(c.jump()) })
	}
	if c.marathon != nil {
		c.accident(max(f.Operate, 10*time.Second), c.marathon.act)
	}
	if c.chronos != nil {
		c.after(time.Second, c.createJobs)
	}
}

// createJobs keeps asking until all jobs exist.
func (c *Cluster) createJobs() {
	c.chronos.act()
	c.after(3*time.Second, c.createJobs)
}

func pick[T any](c *Cluster, list []T) T { return list[c.rng.IntN(len(list))] }

// accident repeats do at random times until the faults end.
func (c *Cluster) accident(mean time.Duration, do func()) {
	if mean == 0 {
		return
	}
	c.after(time.Duration(c.rng.ExpFloat64()*float64(mean)), func() {
		if c.now.Before(c.start.Add(c.opts.Trouble)) {
			do()
			c.accident(mean, do)
		}
	})
}

// fill has an agent's disk take nothing for a while.
func (c *Cluster) fill(a *agentNode) {
	c.trace("the disk of %s is full", a.name)
	a.full = true
	c.after(c.upTo(10*time.Second), func() { a.full = false })
}

// crashExecutor ends one that a framework brought, with all that it runs.
func (c *Cluster) crashExecutor() {
	var all []*executor
	for _, a := range c.agents {
		for _, k := range a.containers {
			if k.process != nil && k.running {
				all = append(all, k.process)
			}
		}
	}
	if len(all) > 0 {
		c.result[ExecutorCrashes]++
		pick(c, all).exit(agentcore.End{Known: true, Signal: "Segmentation fault"})
	}
}

// fillStore has the stores of all take nothing for a while.
func (c *Cluster) fillStore() {
	c.trace("the stores are full")
	full := func(yes bool) {
		for _, d := range c.disks() {
			d.full = yes
		}
	}
	full(true)
	c.after(c.upTo(5*time.Second), func() { full(false) })
}

// expireSomething ends the session of one contender, a leader more often than not.
func (c *Cluster) expireSomething() {
	e := &c.masterElection
	if n := c.rng.IntN(1 + len(c.services)); n > 0 {
		e = &c.services[n-1].election
	}
	if len(e.line) == 0 {
		return
	}
	s := e.line[0]
	if c.rng.IntN(3) == 0 {
		s = pick(c, e.line)
	}
	e.expire(s.of)
}

// loseStore puts the stores of all out of reach for a while.
func (c *Cluster) loseStore() {
	disks := c.disks()
	away := func(yes bool) {
		for _, d := range disks {
			d.away = yes
		}
	}
	c.trace("the store is out of reach")
	away(true)
	c.after(c.upTo(10*time.Second), func() { away(false) })
}

func (c *Cluster) disks() []*disk {
	disks := []*disk{&c.registry.disk}
	for _, s := range c.services {
		disks = append(disks, &s.records.disk)
	}
	return disks
}

// jump is how far somebody sets a clock, forth or back.
func (c *Cluster) jump() time.Duration {
	far := 30 * time.Second
	if c.rng.IntN(3) == 0 {
		far = 2 * time.Hour
	}
	return c.upTo(2*far) - far
}

// heal ends all faults and brings back what is down.
func (c *Cluster) heal() {
	c.trace("the faults are over")
	c.faults = Faults{}
	c.janitor.until = c.now
	for _, d := range c.disks() {
		d.away, d.full = false, false
	}
	for _, m := range c.masters {
		m.start()
	}
	for _, a := range c.agents {
		a.isolated, a.full = false, false
		a.start()
	}
	for _, s := range c.services {
		for _, in := range s.instances {
			in.start()
			in.jump(s.ahead - in.skew) // so that no schedule waits for a time that was once
		}
	}
}

// converge waits until everybody believes what is so, at two looks in a row.
func (c *Cluster) converge(end time.Time) bool {
	for looks := 0; c.failed == nil; {
		c.run(c.now.Add(3 * time.Second))
		if c.failed != nil {
			return false
		}
		tidy := c.operator.tidyUp()
		if looks++; !c.settled() || !tidy {
			looks = 0
		}
		if looks == 2 {
			return true
		}
		if c.now.After(end) && c.left != nil {
			c.failed = c.left
			c.trace("VIOLATION %s", c.failed.What)
		}
	}
	return false
}

// calm is how long runs of jobs are watched when all is well.
const calm = 5 * tickPeriod

// stayCalm sees that what is well stays so.
func (c *Cluster) stayCalm() {
	from := c.now
	if c.chronos == nil {
		c.run(from.Add(3 * time.Second))
		return
	}
	c.run(from.Add(calm))
	if c.failed == nil {
		c.chronos.checkCalm(from)
	}
}
