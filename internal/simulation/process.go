package simulation

import "time"

// A process has lives; what was begun in one does not reach the next. Each has a
// clock of its own on the wall, which people set.
type process struct {
	c     *Cluster
	name  string
	life  int
	up    bool
	armed time.Time     // when it is to be ticked, in the cluster's time
	skew  time.Duration // what its clock is ahead
	set   time.Duration // by how much somebody sets it; whole processes notice when they begin
}

// begin starts a life.
func (p *process) begin() {
	p.life++
	p.up, p.armed = true, time.Time{}
	p.skew, p.set = p.skew+p.set, 0
	p.c.trace("%s starts", p.name)
}

func (p *process) alive(life int) bool { return p.up && p.life == life }

// now is what its clock shows.
func (p *process) now() time.Time { return p.c.now.Add(p.skew) }

// later runs do in d, unless this life is over by then.
func (p *process) later(d time.Duration, do func()) {
	life := p.life
	p.c.after(d, func() {
		if p.alive(life) {
			do()
		}
	})
}

// soon is later, after the time a message takes.
func (p *process) soon(do func()) { p.later(p.c.delay(), do) }

// arm has tick called at a deadline of the process's clock.
func (p *process) arm(at time.Time, ok bool, tick func()) {
	at = at.Add(-p.skew)
	if !ok || !p.up || at.Equal(p.armed) && at.After(p.c.now) {
		return
	}
	if !at.After(p.c.now) {
		at = p.c.now.Add(time.Microsecond)
	}
	p.armed = at
	life := p.life
	p.c.at(at, func() {
		if p.alive(life) && p.armed.Equal(at) {
			p.armed = time.Time{}
			tick()
		}
	})
}

// setClock sets the clock of the machine. A process that has no times but its own
// goes by how much has passed, and sees what the clock shows in its next life.
func (p *process) setClock(d time.Duration) {
	p.c.trace("%s: the clock of its machine jumps by %v", p.name, d)
	p.c.result[Jumps]++
	p.set += d
}

// crashing reports whether the process dies between two effects.
func (p *process) crashing(chance float64) bool {
	crashes := p.up && p.c.chance(p.c.faults.CrashAtEffect*chance)
	if crashes {
		p.c.result[EffectCrashes]++
	}
	return crashes
}
