package client

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/daemon"
)

// explain is `souk explain`: why agents are or are not offered.
type explain struct {
	connection
	framework, role, agent string
	emptyFor               time.Duration
	limit                  int
	from                   string
}

func explainCommand() Command {
	return Command{
		Name: "explain", Summary: "tell why agents are or are not offered, and to whom",
		Usage: func() string { return new(explain).set().Usage() },
		Run: func(ctx context.Context, args, environ []string, t Terminal) error {
			e := new(explain)
			if err := e.set().Parse(args, environ); err != nil {
				return err
			}
			return e.run(ctx, t.Out)
		},
	}
}

func (e *explain) set() *daemon.FlagSet {
	e.limit = 10
	f := e.flags("explain")
	f.String(&e.framework, "framework", "Only about this framework: its id or its name")
	f.String(&e.role, "role", "Only about this role and those below it")
	f.String(&e.agent, "agent", "Only about this agent: its id or its host name")
	f.Duration(&e.emptyFor, 0, "empty_for", "Count agents that nobody has used for so long")
	f.Int(&e.limit, 1, 10000, "limit", "List so many of them")
	f.String(&e.from, "from", "Go on where an earlier answer ended: its 'next'")
	return f
}

// An explanation is the answer of GET /allocator/explain.
type explanation struct {
	Groups []struct {
		FrameworkName string `json:"framework_name"`
		FrameworkID   string `json:"framework_id"`
		Role          string
		Text          string
		Agents        int
		Examples      []struct{ Hostname string }
		First         *float64 `json:"first_ends_in_secs"`
		Last          float64  `json:"last_ends_in_secs"`
		Holders       []struct {
			FrameworkName string `json:"framework_name"`
			Role          string
			Agents        int
		}
	}
	Next     string
	Headroom struct {
		Capacity, Guarantees, Overcommit, Free, Required, Short map[string]float64

		Owed []struct {
			Role      string
			Resources map[string]float64
		}
	}
	Preemption struct {
		Unmet []struct {
			Role    string
			Seconds float64 `json:"for_secs"`
		}
		Leaving []struct {
			TaskID string `json:"task_id"`
			Role   string
			Cause  string
			For    string  `json:"for_role"`
			Asked  float64 `json:"asked_secs_ago"`
		}
	}
	EmptyAgents struct {
		Count  int
		Agents []struct {
			AgentID  string  `json:"agent_id"`
			Hostname string  `json:"hostname"`
			Seconds  float64 `json:"empty_for_secs"`
		}
	} `json:"empty_agents"`
}

func (e *explain) query() url.Values {
	q := url.Values{"limit": {strconv.Itoa(e.limit)}, "empty_for": {daemon.FormatDuration(e.emptyFor)}}
	for name, value := range map[string]string{"framework": e.framework, "role": e.role, "agent": e.agent, "from": e.from} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func (e *explain) run(ctx context.Context, out io.Writer) error {
	const path = "/allocator/explain"
	if e.json {
		body, err := e.get(ctx, path, e.query())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", body)
		return err
	}
	var answer explanation
	if err := e.getInto(ctx, path, e.query(), &answer); err != nil {
		return err
	}
	return answer.write(out)
}

// write prints what keeps agents away, then how the cluster stands.
func (x *explanation) write(out io.Writer) error {
	var t table
	t.row("FRAMEWORK", "ROLE", "AGENTS", "SUCH AS", "WHY THEY ARE NOT OFFERED")
	for i := range x.Groups {
		t.row(x.group(i)...)
	}
	if len(x.Groups) == 0 {
		t = table{}
		t.row("No framework is subscribed that the question is about, or there are no agents.")
	}
	if err := t.write(out); err != nil {
		return err
	}
	if x.Next != "" {
		if _, err := fmt.Fprintf(out, "There is more: ask again with --from=%s, or for less with --framework, --role or --agent.\n", printable(x.Next)); err != nil {
			return err
		}
	}
	return x.writeCluster(out)
}

func (x *explanation) group(i int) []string {
	g := &x.Groups[i]
	var hosts []string
	for _, h := range g.Examples {
		hosts = append(hosts, h.Hostname)
	}
	slices.Sort(hosts)
	why := g.Text
	if g.First != nil {
		why += ": ends in " + span(*g.First)
		if span(g.Last) != span(*g.First) {
			why += " to " + span(g.Last)
		}
	}
	var holders []string
	for _, h := range g.Holders {
		holders = append(holders, fmt.Sprintf("%s in %s on %d", h.FrameworkName, h.Role, h.Agents))
	}
	if len(holders) > 0 {
		why += ": " + strings.Join(holders, ", ")
	}
	name := g.FrameworkName
	if name == "" {
		name = g.FrameworkID
	}
	return []string{name, g.Role, strconv.Itoa(g.Agents), strings.Join(slices.Compact(hosts), ","), why}
}

func (x *explanation) writeCluster(out io.Writer) error {
	var t table
	t.row("")
	t.row("capacity", amounts(x.Headroom.Capacity))
	t.row("free", amounts(x.Headroom.Free))
	if len(x.Headroom.Guarantees) > 0 {
		t.row("guaranteed", amounts(x.Headroom.Guarantees))
		t.row("kept free for guarantees", amounts(x.Headroom.Required))
		t.row("missing for guarantees", amounts(x.Headroom.Short))
		t.row("guaranteed beyond capacity", amounts(x.Headroom.Overcommit))
	}
	for _, o := range x.Headroom.Owed {
		t.row("owed to "+o.Role, amounts(o.Resources))
	}
	for _, u := range x.Preemption.Unmet {
		t.row("others keep it from "+u.Role, "for "+span(u.Seconds))
	}
	for _, l := range x.Preemption.Leaving {
		t.row("asked to leave for "+l.For, fmt.Sprintf("%s in %s (%s), %s ago", l.TaskID, l.Role, l.Cause, span(l.Asked)))
	}
	t.row("agents nobody uses", strconv.Itoa(x.EmptyAgents.Count))
	for _, a := range x.EmptyAgents.Agents {
		t.row("  "+a.Hostname, "for "+span(a.Seconds)+"  "+a.AgentID)
	}
	return t.write(out)
}
