package hierarchical

import "time"

// expiries is a heap of agents by when their first filter ends: one entry per agent, however many filters there are
// and however often they are replaced.
type expiries struct {
	list []expiry
}

type expiry struct {
	until time.Time
	agent int32
}

// first is the earliest end of a filter.
func (e *expiries) first() (time.Time, bool) {
	if len(e.list) == 0 {
		return time.Time{}, false
	}
	return e.list[0].until, true
}

// set says when the first filter of an agent ends; zero means that it has none.
func (e *expiries) set(agents *table[agent], a int32, until time.Time) {
	at := agents.at(a).expiry
	switch {
	case at < 0 && until.IsZero():
		return
	case at < 0:
		e.list = append(e.list, expiry{until, a})
		at = len(e.list) - 1
		agents.at(a).expiry = at
	case until.IsZero():
		last := len(e.list) - 1
		e.swap(agents, at, last)
		e.list = e.list[:last]
		agents.at(a).expiry = -1
		if at == last {
			return
		}
	default:
		e.list[at].until = until
	}
	e.fix(agents, at)
}

func (e *expiries) fix(agents *table[agent], at int) {
	for at > 0 && e.before(at, (at-1)/2) {
		e.swap(agents, at, (at-1)/2)
		at = (at - 1) / 2
	}
	for {
		least := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(e.list); child++ {
			if e.before(child, least) {
				least = child
			}
		}
		if least == at {
			return
		}
		e.swap(agents, at, least)
		at = least
	}
}

func (e *expiries) before(i, j int) bool {
	if e.list[i].until.Equal(e.list[j].until) {
		return e.list[i].agent < e.list[j].agent
	}
	return e.list[i].until.Before(e.list[j].until)
}

func (e *expiries) swap(agents *table[agent], i, j int) {
	e.list[i], e.list[j] = e.list[j], e.list[i]
	agents.at(e.list[i].agent).expiry = i
	agents.at(e.list[j].agent).expiry = j
}
