package hierarchical

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata")

// TestTraces runs testdata/*.txt: blocks of commands, "----", and what the allocator answered.
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %v, %v, want traces", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newTrace(t).run(string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(text), got); diff != "" && !*update {
				t.Errorf("trace differs (-want +got; rewrite with -update):\n%s", diff)
			}
		})
	}
}

// trace is a cluster that is told what to do line by line.
type trace struct {
	t     *testing.T
	h     allocator.Allocator
	start time.Time
	now   time.Time
	given map[string]allocator.Allocation // by "framework agent role"
}

func newTrace(t *testing.T) *trace {
	start := time.Unix(1_700_000_000, 0).UTC()
	h := New(allocator.Config{Minimum: allocator.DefaultMinimum(), KeepGPUs: true, Region: "home"})
	return &trace{t: t, h: h, start: start, now: start, given: map[string]allocator.Allocation{}}
}

// run answers every block; comments and blank lines stay.
func (tr *trace) run(text string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		commands, _, _ := strings.Cut(block, "\n----")
		fmt.Fprintf(&out, "%s\n----\n", commands)
		for line := range strings.SplitSeq(commands, "\n") {
			if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
				out.WriteString(tr.do(f[0], parseArgs(f[1:])))
			}
		}
		out.WriteString("\n")
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// args are the words of a command: bare ones, and those like key=value.
type args struct {
	words []string
	named map[string]string
}

func parseArgs(fields []string) args {
	a := args{named: map[string]string{}}
	for _, f := range fields {
		if key, value, ok := strings.Cut(f, "="); ok {
			a.named[key] = value
		} else {
			a.words = append(a.words, f)
		}
	}
	return a
}

func (a args) word(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

func (a args) list(key string) []string {
	if a.named[key] == "" {
		return nil
	}
	return strings.Split(a.named[key], ",")
}

func (a args) has(key, value string) bool {
	for _, x := range a.list(key) {
		if x == value {
			return true
		}
	}
	return false
}

func (tr *trace) resources(text string) resources.Resources {
	r, err := resources.Parse(text, "*")
	if err != nil {
		tr.t.Fatal(err)
	}
	return r
}

func (tr *trace) do(command string, a args) string {
	switch command {
	case "agent":
		tr.h.AddAgent(tr.now, tr.agent(a), nil)
	case "update-agent":
		tr.h.UpdateAgent(tr.now, tr.agent(a))
	case "remove-agent":
		tr.h.RemoveAgent(tr.now, mesos.AgentID(a.word(0)))
	case "activate-agent", "deactivate-agent":
		tr.h.SetAgentActive(tr.now, mesos.AgentID(a.word(0)), command == "activate-agent")
	case "framework":
		tr.h.AddFramework(tr.now, tr.framework(a), true)
	case "update-framework":
		tr.h.UpdateFramework(tr.now, tr.framework(a))
	case "remove-framework":
		tr.h.RemoveFramework(tr.now, mesos.FrameworkID(a.word(0)))
	case "activate", "deactivate":
		tr.h.SetFrameworkActive(tr.now, mesos.FrameworkID(a.word(0)), command == "activate")
	case "suppress":
		tr.h.Suppress(tr.now, mesos.FrameworkID(a.word(0)), a.list("roles")...)
	case "revive":
		tr.h.Revive(tr.now, mesos.FrameworkID(a.word(0)), a.list("roles")...)
	case "weight":
		w, _ := strconv.ParseFloat(a.word(1), 64)
		tr.h.SetWeights(tr.now, allocator.Weight{Role: a.word(0), Value: w})
	case "quota":
		tr.h.SetQuota(tr.now, a.word(0), tr.quota(a))
	case "hold":
		r := tr.resources(a.word(2)).Allocate(a.named["role"])
		tr.h.Hold(tr.now, allocator.Holding{Framework: mesos.FrameworkID(a.word(0)), Resources: r}, mesos.AgentID(a.word(1)))
	case "recover":
		r := tr.resources(a.word(2)).Allocate(a.named["role"])
		tr.h.Recover(tr.now, mesos.FrameworkID(a.word(0)), mesos.AgentID(a.word(1)), r)
	case "decline":
		return tr.decline(a)
	case "use":
		return tr.use(a)
	case "allocate":
		return tr.allocate()
	case "wait":
		return tr.wait(a)
	case "explain":
		return tr.explain(a)
	case "roles":
		return tr.roles()
	default:
		tr.t.Fatalf("unknown command %q", command)
	}
	return ""
}

func (tr *trace) agent(a args) allocator.Agent {
	x := allocator.Agent{
		ID: mesos.AgentID(a.word(0)), Hostname: a.word(0), Total: tr.resources(a.word(1)), Region: a.named["region"],
		Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
	}
	if a.has("lacks", "multi-role") {
		x.Capabilities = allocator.AgentCapabilities{}
	}
	for _, pair := range a.list("attributes") {
		name, value, _ := strings.Cut(pair, ":")
		x.Attributes = append(x.Attributes, allocator.Attribute{Name: name, Text: value})
	}
	return x
}

func (tr *trace) framework(a args) allocator.Framework {
	f := allocator.Framework{
		ID: mesos.FrameworkID(a.word(0)), Roles: a.list("roles"), Suppressed: a.list("suppressed"),
		Capabilities: allocator.FrameworkCapabilities{
			Revocable: a.has("can", "revocable"), GPU: a.has("can", "gpu"), Shared: a.has("can", "shared"), MultiRole: true,
			ReservationRefinement: a.has("can", "refine"), RegionAware: a.has("can", "regions"),
		},
	}
	if len(f.Roles) == 0 {
		f.Roles = []string{"*"}
	}
	if pair := a.named["wants"]; pair != "" {
		name, value, _ := strings.Cut(pair, ":")
		f.Constraints = map[string]allocator.Constraints{
			f.Roles[0]: {{{Attribute: name, Predicate: allocator.TextEquals, Value: value}}},
		}
	}
	if min := a.named["minimum"]; min != "" {
		f.Minimum = map[string][]resources.Quantities{f.Roles[0]: {tr.resources(min).Quantities()}}
	}
	return f
}

func (tr *trace) quota(a args) allocator.Quota {
	q := allocator.Quota{Guarantees: tr.resources(a.named["guarantee"]).Quantities()}
	var limits []resources.Quantity
	for name, amount := range tr.resources(a.named["limit"]).Quantities().All() {
		limits = append(limits, resources.Quantity{Name: name, Amount: amount})
	}
	q.Limits = resources.LimitsOf(limits...)
	return q
}

// take finds what a framework was given on an agent.
func (tr *trace) take(a args) (string, allocator.Allocation) {
	key := a.word(0) + " " + a.word(1)
	if role := a.named["role"]; role != "" {
		key += " " + role
	} else {
		for k := range tr.given {
			if strings.HasPrefix(k, key+" ") {
				key = k
			}
		}
	}
	x, ok := tr.given[key]
	if !ok {
		tr.t.Fatalf("%s has nothing to give back", key)
	}
	return key, x
}

func (tr *trace) decline(a args) string {
	key, x := tr.take(a)
	delete(tr.given, key)
	tr.h.Decline(tr.now, x.Framework, x.Agent, x.Resources, tr.refuse(a))
	return ""
}

func (tr *trace) refuse(a args) time.Duration {
	if a.named["for"] == "" {
		return 5 * time.Second
	}
	return tr.duration(a.named["for"])
}

func (tr *trace) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		tr.t.Fatal(err)
	}
	return d
}

// use launches something with a part of what was given and declines the rest.
func (tr *trace) use(a args) string {
	key, x := tr.take(a)
	rest, ok := x.Resources.Sub(tr.resources(a.word(2)).Allocate(x.Role))
	if !ok {
		return "not given: " + a.word(2) + "\n"
	}
	delete(tr.given, key)
	if !rest.IsEmpty() {
		tr.h.Decline(tr.now, x.Framework, x.Agent, rest, tr.refuse(a))
	}
	return ""
}

func (tr *trace) allocate() string {
	var out strings.Builder
	for _, x := range tr.h.Allocate(tr.now) {
		tr.given[fmt.Sprintf("%s %s %s", x.Framework, x.Agent, x.Role)] = x
		fmt.Fprintf(&out, "%s <- %s: %s\n", x.Framework, x.Agent, x.Resources)
	}
	return out.String()
}

// wait lets time pass, or until the next deadline if no time is given, and allocates whenever it is due.
func (tr *trace) wait(a args) string {
	var out strings.Builder
	end := tr.now
	if at, ok := tr.h.Deadline(); a.word(0) == "" && ok {
		end = at
	} else if a.word(0) != "" {
		end = tr.now.Add(tr.duration(a.word(0)))
	}
	for at, ok := tr.h.Deadline(); ok && !at.After(end); at, ok = tr.h.Deadline() {
		tr.now = at
		if text := tr.allocate(); text != "" {
			fmt.Fprintf(&out, "+%v\n%s", tr.now.Sub(tr.start), text)
		}
	}
	tr.now = end
	return out.String()
}

func (tr *trace) explain(a args) string {
	var out strings.Builder
	for _, r := range tr.h.Explain(tr.now, mesos.FrameworkID(a.word(0)), a.word(1), mesos.AgentID(a.word(2))) {
		fmt.Fprintf(&out, "%s", r.Name)
		if !r.Until.IsZero() {
			fmt.Fprintf(&out, " until +%v", r.Until.Sub(tr.start))
		}
		out.WriteString("\n")
	}
	return out.String()
}

func (tr *trace) roles() string {
	var out strings.Builder
	for _, r := range tr.h.Roles() {
		fmt.Fprintf(&out, "%s: weight %g, share %.3f, %d frameworks, held %s, consumed %s\n",
			r.Name, r.Weight, r.Share, r.Frameworks, r.Held, r.Consumed)
	}
	return out.String()
}
