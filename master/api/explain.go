package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Bounds of GET /allocator/explain: a question may be about every framework and
// every agent, so it is answered page by page, and each page in many short visits
// to the loop.
const (
	explainersAtOnce = 2       // others wait their turn
	maxPairs         = 1 << 20 // frameworks' roles times agents, of a page
	maxGroups        = 10_000  // of a page
	maxEmpty         = 10_000  // agents listed
	maxLeaving       = 1000    // tasks listed
	defaultEmpty     = 100
)

// explain answers GET /allocator/explain: why agents are or are not offered, by
// reason; the headroom; and the agents that nobody uses.
func (a *api) explain(w http.ResponseWriter, r *http.Request) {
	d, err := a.explained(w, r)
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	daemon.WriteJSON(w, r, d.b)
}

func (a *api) explained(w http.ResponseWriter, r *http.Request) (*doc, error) {
	if err := callevent.CheckMethod(w, r, http.MethodGet); err != nil {
		return nil, err
	}
	q, err := readQuestion(r.URL.Query())
	if err != nil {
		return nil, err
	}
	if err := a.takeTurn(r.Context()); err != nil {
		return nil, unavailable(err)
	}
	defer func() { <-a.explainers }()
	overview, err := a.Master.Overview(r.Context(), q.emptyFor, q.limit)
	if err != nil {
		return nil, unavailable(err)
	}
	answer, err := a.explainPage(r.Context(), q)
	if err != nil {
		return nil, explainError(err)
	}
	now := time.Now()
	d := &doc{}
	d.object(func() {
		d.doubleAt("taken", seconds(now))
		d.explanation(answer, now)
		d.overview(overview, now)
	})
	return d, nil
}

func (a *api) takeTurn(ctx context.Context) error {
	select {
	case a.explainers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// explainPage asks the loop again and again, a little each time, so that others
// have their turns in between.
func (a *api) explainPage(ctx context.Context, q question) (core.Explanation, error) {
	part := q.Question
	part.Pairs = min(allocator.DefaultPairs, q.pairs)
	out, err := a.Master.Explain(ctx, part)
	for err == nil && out.Next != (allocator.Cursor{}) && out.Pairs < q.pairs && len(out.Groups) < maxGroups {
		part.From, part.Pairs = out.Next, min(allocator.DefaultPairs, q.pairs-out.Pairs)
		var more core.Explanation
		if more, err = a.Master.Explain(ctx, part); err == nil {
			out.Explanation = out.Merge(more.Explanation)
			maps.Copy(out.Names, more.Names)
			maps.Copy(out.Hostnames, more.Hostnames)
		}
	}
	return out, err
}

func explainError(err error) error {
	switch {
	case errors.Is(err, core.ErrNotExplained):
		return callevent.Errorf(http.StatusNotImplemented, "501 Not Implemented. %v", err)
	case errors.As(err, new(core.Unknown)):
		return callevent.Errorf(http.StatusBadRequest, "%v", err)
	}
	return unavailable(err)
}

// A question is what a query asks for.
type question struct {
	allocator.Question
	pairs    int
	emptyFor time.Duration
	limit    int
}

func readQuestion(query url.Values) (question, error) {
	q := question{pairs: maxPairs, limit: defaultEmpty, Question: allocator.Question{
		Framework: mesos.FrameworkID(query.Get("framework")), Role: query.Get("role"), Agent: mesos.AgentID(query.Get("agent")),
	}}
	for name := range query {
		text := query.Get(name)
		var err error
		switch name {
		case "framework", "role", "agent":
		case "from":
			q.From, err = readCursor(text)
		case "pairs":
			q.pairs, err = readCount(text, maxPairs)
		case "limit":
			q.limit, err = readCount(text, maxEmpty)
		case "empty_for":
			q.emptyFor, err = daemon.ParseDuration(text)
		default:
			err = errors.New("is not known: use framework, role, agent, from, pairs, empty_for and limit")
		}
		if err != nil {
			return q, callevent.Errorf(http.StatusBadRequest, "Query parameter '%s' %v", name, err)
		}
	}
	return q, nil
}

func readCount(text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("is %q: give a number from 1 to %d", text, most)
	}
	return n, nil
}

func readCursor(text string) (c allocator.Cursor, err error) {
	if n, err := fmt.Sscanf(text, "%d.%d", &c.Client, &c.Agent); n != 2 || err != nil || c.Client < 0 || c.Agent < 0 {
		return c, fmt.Errorf("is %q: give what an earlier answer has as 'next'", text)
	}
	return c, nil
}

func (d *doc) explanation(e core.Explanation, now time.Time) {
	d.listAt("groups", func() {
		for i := range e.Groups {
			d.object(func() { d.group(&e, &e.Groups[i], now) })
		}
	})
	d.integerAt("pairs", e.Pairs)
	if e.Next != (allocator.Cursor{}) {
		d.textAt("next", fmt.Sprintf("%d.%d", e.Next.Client, e.Next.Agent))
	}
}

func (d *doc) group(e *core.Explanation, g *allocator.Group, now time.Time) {
	d.textAt("framework_id", string(g.Framework))
	d.textAt("framework_name", e.Names[g.Framework])
	d.textAt("role", g.Role)
	d.textAt("reason", string(g.Reason))
	d.textAt("text", g.Reason.Text())
	d.integerAt("agents", g.Agents)
	d.listAt("examples", func() {
		for _, id := range g.Examples {
			d.object(func() {
				d.textAt("agent_id", string(id))
				d.textAt("hostname", e.Hostnames[id])
			})
		}
	})
	if !g.First.IsZero() {
		d.doubleAt("first_ends_in_secs", max(g.First.Sub(now), 0).Seconds())
		d.doubleAt("last_ends_in_secs", max(g.Last.Sub(now), 0).Seconds())
	}
	if len(g.Holders) == 0 {
		return
	}
	d.listAt("holders", func() {
		for _, x := range g.Holders {
			d.object(func() {
				d.textAt("framework_id", string(x.Framework))
				d.textAt("framework_name", e.Names[x.Framework])
				d.textAt("role", x.Role)
				d.integerAt("agents", x.Agents)
			})
		}
	})
}

func (d *doc) overview(v core.Overview, now time.Time) {
	d.objectAt("headroom", func() {
		for _, x := range []struct {
			name string
			q    resources.Quantities
		}{
			{"capacity", v.Headroom.Capacity},
			{"guarantees", v.Headroom.Guarantees},
			{"overcommit", v.Headroom.Overcommit},
			{"free", v.Headroom.Free},
			{"required", v.Headroom.Required},
			{"short", v.Headroom.Short},
		} {
			d.quantitiesAt(x.name, x.q)
		}
		d.listAt("owed", func() {
			for _, x := range v.Headroom.Owed {
				d.object(func() {
					d.textAt("role", x.Role)
					d.quantitiesAt("resources", x.Owed)
				})
			}
		})
	})
	d.preempting(v.Preempting, now)
	d.objectAt("empty_agents", func() {
		d.integerAt("count", v.Empty)
		d.listAt("agents", func() {
			for _, x := range v.Agents {
				d.object(func() {
					d.textAt("agent_id", string(x.ID))
					d.textAt("hostname", x.Hostname)
					d.doubleAt("since", seconds(x.Since))
					d.doubleAt("empty_for_secs", now.Sub(x.Since).Seconds())
				})
			}
		})
	})
}

// preempting writes which guarantees are not met, and who was asked to leave for them.
func (d *doc) preempting(p core.Preempting, now time.Time) {
	d.objectAt("preemption", func() {
		d.textsAt("roles", p.Roles)
		d.listAt("unmet", func() {
			for _, x := range p.Unmet {
				d.object(func() {
					d.textAt("role", x.Role)
					d.doubleAt("for_secs", now.Sub(x.Since).Seconds())
				})
			}
		})
		d.integerAt("leaving_count", len(p.Leaving))
		d.listAt("leaving", func() {
			for _, x := range p.Leaving[:min(len(p.Leaving), maxLeaving)] {
				d.object(func() {
					d.textAt("task_id", x.Task)
					d.textAt("framework_id", string(x.Framework))
					d.textAt("agent_id", string(x.Agent))
					d.textAt("role", x.Role)
					d.textAt("cause", x.Cause.String())
					d.textAt("for_role", x.For)
					d.doubleAt("asked_secs_ago", now.Sub(x.Since).Seconds())
				})
			}
		})
	})
}
