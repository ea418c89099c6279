package core_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata with what happens now")

// TestTraces plays the scenarios of testdata: each command, a line of four
// dashes, and what the scheduler did, up to an empty line.
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(b))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(b) {
				t.Errorf("%s differs; run with -update and look at the difference\n%s", file, got)
			}
		})
	}
}

// play runs all commands of a trace and returns the trace as it should read.
func play(t *testing.T, text string) string {
	p := &player{world: newWorld(t), names: map[string]string{}, counts: map[string]int{}}
	p.made = p.record
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		command, _, found := strings.Cut(block, "\n----")
		if !found {
			out.WriteString(block + "\n\n") // a remark
			continue
		}
		p.lines = nil
		for line := range strings.SplitSeq(command, "\n") {
			if !strings.HasPrefix(line, "#") {
				p.run(t, line)
				p.perform()
			}
		}
		out.WriteString(command + "\n----\n")
		for _, line := range p.lines {
			out.WriteString(line + "\n")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// A player gives ids short names in the order in which they appear.
type player struct {
	*world
	lines  []string
	names  map[string]string
	counts map[string]int
}

func (p *player) name(kind, id string) string {
	if p.names[id] == "" {
		p.counts[kind]++
		p.names[id] = kind + strconv.Itoa(p.counts[kind])
	}
	return p.names[id]
}

// id is the full id of a short name.
func (p *player) id(t *testing.T, name string) string {
	for id, n := range p.names {
		if n == name {
			return id
		}
	}
	t.Fatalf("nothing is called %s", name)
	return ""
}

func (p *player) run(t *testing.T, line string) {
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch verb {
	case "post":
		p.command(core.CreateApp{App: object(t, rest)})
	case "put", "patch":
		id, body, _ := strings.Cut(rest, " ")
		p.command(core.UpdateApps{Updates: []core.AppUpdate{{ID: id, Object: object(t, body)}}, Partial: true, Create: verb == "put", Force: strings.HasPrefix(body, `{"force`)})
	case "delete":
		p.command(core.DeleteApp{ID: words[0], Force: true})
	case "restart":
		p.command(core.RestartApp{ID: words[0]})
	case "kill":
		p.command(core.KillTasks{TaskIDs: []string{p.id(t, words[0])}, Scale: slices.Contains(words, "scale")})
	case "cancel":
		p.command(core.CancelDeployment{ID: p.id(t, words[0]), Force: slices.Contains(words, "force")})
	case "reset":
		p.command(core.ResetDelay{ID: words[0]})
	case "offer":
		p.offerOf(t, words)
	case "status":
		p.status(t, words)
	case "probed":
		p.step(core.Probed{TaskID: p.id(t, words[0]), Result: core.ProbeResult{Healthy: words[1] == "healthy", Cause: strings.Join(words[2:], " ")}})
	case "tick":
		d, err := time.ParseDuration(words[0])
		if err != nil {
			t.Fatal(err)
		}
		p.tick(d)
	case "crash":
		p.updates = nil
		p.crash()
	case "subscribe":
		p.subscribe()
	case "tasks":
		for _, x := range p.core.Tasks() {
			p.lines = append(p.lines, fmt.Sprintf("%s %s %s on %s", p.name("t", x.ID), x.AppID, x.State, x.Host))
		}
	case "queue":
		for _, q := range p.core.Queue(p.now) {
			p.lines = append(p.lines, fmt.Sprintf("%s count=%d delay=%v %s", q.App.ID, q.Count, q.Delay, reasons(q.Summary)))
		}
	default:
		t.Fatalf("unknown command %q", line)
	}
}

func reasons(s core.OfferSummary) string {
	out := fmt.Sprintf("processed=%d unused=%d", s.ProcessedOffersCount, s.UnusedOffersCount)
	for _, r := range s.RejectSummaryLaunchAttempt {
		if r.Declined > 0 {
			out += fmt.Sprintf(" %s=%d/%d", r.Reason, r.Declined, r.Processed)
		}
	}
	return out
}

// offerOf reads: host cpus=N attribute=value …
func (p *player) offerOf(t *testing.T, words []string) {
	cpus := 4.0
	var attributes []*mesospb.Attribute
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		if k == "cpus" {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				t.Fatal(err)
			}
			cpus = f
			continue
		}
		attributes = append(attributes, &mesospb.Attribute{Name: &k, Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: &v}})
	}
	p.suppressed = false // a trace says itself when offers come
	p.offer(words[0], cpus, attributes...)
}

func (p *player) status(t *testing.T, words []string) {
	state, ok := mesospb.TaskState_value["TASK_"+words[1]]
	if !ok {
		t.Fatalf("unknown state %s", words[1])
	}
	id := words[0]
	if !strings.Contains(id, ".") {
		id = p.id(t, id)
	}
	s := status(id, "agent-h1", mesospb.TaskState(state))
	if x := p.tasks[id]; x != nil {
		x.state = mesospb.TaskState(state)
		s.AgentId.Value = &x.agent
	}
	if len(words) > 2 {
		s.Healthy = new(words[2] == "healthy")
		s.Message = new(strings.Join(words[3:], " "))
	}
	p.updates = append(p.updates, s)
}

// record writes down an effect that was performed.
func (p *player) record(e core.Effect) {
	line := ""
	switch e := e.(type) {
	case core.Persist:
		line = "persist " + p.ops(e.Ops)
	case core.Accept:
		line = "accept " + e.OfferID
		for _, x := range e.Tasks {
			line += fmt.Sprintf(" %s(%s)", p.name("t", x.GetTaskId().GetValue()), core.AppOfTask(x.GetTaskId().GetValue()))
		}
	case core.Decline:
		line = fmt.Sprintf("decline %s for %v", strings.Join(e.OfferIDs, " "), e.Refuse)
	case core.Kill:
		line = "kill " + p.name("t", e.TaskID)
	case core.Reconcile:
		line = "reconcile"
		for _, ref := range e.Tasks {
			line += " " + p.name("t", ref.TaskID)
		}
	case core.Suppress:
		line = "suppress"
	case core.Revive:
		line = "revive"
	case core.Reply:
		line = p.reply(e)
	case core.Publish:
		line = p.event(e)
	case core.Probe:
		line = fmt.Sprintf("probe %s %s", p.name("t", e.TaskID), e.Check.Protocol)
	case core.Acknowledge:
		return
	}
	if line != "" {
		p.lines = append(p.lines, line)
	}
}

func (p *player) ops(ops []core.Op) string {
	var out []string
	for _, op := range ops {
		sign := "+"
		if op.Delete {
			sign = "-"
		}
		parts := strings.Split(strings.TrimPrefix(op.Name, "marathon/"), "/")
		switch parts[0] {
		case "app":
			parts = parts[:2]
		case "instance":
			parts[1] = p.name("t", parts[1]+"._app.1")
		case "deployment":
			parts[1] = p.name("d", parts[1])
		}
		out = append(out, sign+strings.Join(parts, "/"))
	}
	return strings.Join(out, " ")
}

func (p *player) reply(r core.Reply) string {
	switch {
	case r.Err != nil:
		return "refused: " + p.known(r.Err.Error())
	case r.Result.DeploymentID != "":
		return "granted " + p.name("d", r.Result.DeploymentID)
	}
	return "granted"
}

func (p *player) known(text string) string {
	for id, name := range p.names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

// event shows what scenarios are about; the rest has its own tests.
func (p *player) event(e core.Publish) string {
	switch d := e.Data.(type) {
	case core.DeploymentStepped:
		if e.Type != "deployment_info" {
			return ""
		}
		line := "step of " + p.name("d", d.Plan.ID) + ":"
		for _, a := range d.CurrentStep.Actions {
			line += " " + a.Action + " " + a.App
		}
		return line
	case core.DeploymentEnded:
		return e.Type + " " + p.name("d", d.ID)
	case core.AppTerminated, core.StrayTerminated, core.HealthStatusChanged, core.UnhealthyKilled:
		return e.Type
	}
	return ""
}

// TestShortNames: what traces rely on.
func TestShortNames(t *testing.T) {
	if got := core.AppOfTask("dev_web.instance-1.2._app.1"); got != "/dev/web" {
		t.Errorf("AppOfTask = %q, want /dev/web", got)
	}
	if got := spec.SafeID("/dev/web"); got != "dev_web" {
		t.Errorf("SafeID = %q, want dev_web", got)
	}
}
