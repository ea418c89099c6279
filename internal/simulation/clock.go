package simulation

import "time"

// A delivery is something that happens at a time; seq orders what happens at
// the same one.
type delivery struct {
	at  int64 // nanoseconds since the beginning of the run
	seq uint64
	do  func()
}

func (d *delivery) before(other *delivery) bool {
	return d.at < other.at || d.at == other.at && d.seq < other.seq
}

// A queue is a heap of deliveries.
type queue []delivery

func (q *queue) push(d delivery) {
	h := append(*q, d)
	*q = h
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *queue) pop() delivery {
	h := *q
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], delivery{}
	h = h[:last]
	*q = h
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < last && h[child+1].before(&h[child]) {
			child++
		}
		if child >= last || !h[child].before(&h[i]) {
			return first
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// after runs do in d from now.
func (c *Cluster) after(d time.Duration, do func()) { c.at(c.now.Add(d), do) }

func (c *Cluster) at(t time.Time, do func()) {
	c.seq++
	c.queue.push(delivery{int64(t.Sub(c.start)), c.seq, do})
}

// run delivers until end or the first violation.
func (c *Cluster) run(end time.Time) {
	last := int64(end.Sub(c.start))
	for c.failed == nil && len(c.queue) > 0 && c.queue[0].at <= last {
		d := c.queue.pop()
		c.now = c.start.Add(time.Duration(d.at))
		d.do()
	}
	c.now = end
}

// delay is how long a message takes.
func (c *Cluster) delay() time.Duration {
	return time.Millisecond + time.Duration(c.rng.ExpFloat64()*float64(10*time.Millisecond))
}

// upTo is a time from none to d.
func (c *Cluster) upTo(d time.Duration) time.Duration { return time.Duration(c.rng.Int64N(int64(d))) }

func (c *Cluster) chance(p float64) bool { return p > 0 && c.rng.Float64() < p }
