package core

// queue is the names of jobs with a queued run, in two lines: those of high
// priority come first. A name is in at most one of them, once.
type queue struct {
	high, normal line
}

// add puts a job at the end of its line, unless it stands there already.
func (q *queue) add(job *Job) {
	mine, other := &q.normal, &q.high
	if job.HighPriority {
		mine, other = other, mine
	}
	other.remove(job.Name)
	mine.add(job.Name)
}

func (q *queue) remove(name string) {
	q.high.remove(name)
	q.normal.remove(name)
}

// names is everybody in order; a copy.
func (q *queue) names() []string {
	names := make([]string, 0, len(q.high.place)+len(q.normal.place))
	for _, l := range []*line{&q.high, &q.normal} {
		for name := range l.all {
			names = append(names, name)
		}
	}
	return names
}

// A line is names first come first served. All that it does takes constant time.
type line struct {
	order []string // "" where somebody left
	place map[string]int
}

func (l *line) add(name string) {
	if _, stands := l.place[name]; stands {
		return
	}
	if l.place == nil {
		l.place = make(map[string]int)
	}
	l.place[name] = len(l.order)
	l.order = append(l.order, name)
}

func (l *line) remove(name string) {
	at, stands := l.place[name]
	if !stands {
		return
	}
	delete(l.place, name)
	l.order[at] = ""
	if len(l.order) > 2*len(l.place)+16 {
		l.closeUp()
	}
}

// closeUp takes out the gaps.
func (l *line) closeUp() {
	order := make([]string, 0, len(l.place))
	for name := range l.all {
		l.place[name] = len(order)
		order = append(order, name)
	}
	l.order = order
}

// all yields the names in order.
func (l *line) all(yield func(string) bool) {
	for _, name := range l.order {
		if name != "" && !yield(name) {
			return
		}
	}
}
