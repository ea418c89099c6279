package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A play is one run of a step: whoever it brings on stage leaves with it. All that
// is said and wanted is JSON, whatever goes over the wire; $AGENT and the other
// words of rows are filled in, and $ID is the speaker's framework. A wanted object
// may have more members in truth, "$NONE" is a member that is not there, and
// {"$SOME":x} a list that has x in it.
type play struct {
	*cluster
	t     *testing.T
	codec callevent.Codec
	exits []func()
}

// failed is thrown where a play goes another way than written.
type failed struct{ error }

func (p *play) fail(format string, args ...any) { panic(failed{fmt.Errorf(format, args...)}) }

func (p *play) must(err error) {
	if err != nil {
		p.fail("%w", err)
	}
}

// perform runs a step in one encoding.
func perform(t *testing.T, c *cluster, codec callevent.Codec, step func(*play)) (err error) {
	p := &play{cluster: c, t: t, codec: codec}
	defer func() {
		for i := len(p.exits) - 1; i >= 0; i-- {
			p.exits[i]()
		}
		if r := recover(); r != nil {
			f, ok := r.(failed)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("in %s: %w", codec, f.error)
		}
	}()
	step(p)
	return nil
}

// An event is what somebody heard.
type event struct {
	p     *play
	text  string
	value any
}

// at is the text of a part, named as in update.status.task_id; "" if it is not there.
func (e *event) at(path string) string {
	v := e.value
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i := 0
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			return ""
		}
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// has wants more of what was heard.
func (e *event) has(want string) *event {
	if err := hasJSON([]byte(e.text), []byte(e.p.fill(want))); err != nil {
		e.p.fail("%w in %.1500s", err, e.text)
	}
	return e
}

// An actor is somebody with a stream: a scheduler, an executor or an operator.
type actor struct {
	p       *play
	id      string // framework
	first   *event
	events  chan *event // closed with the stream
	leave   func()      // ends the stream
	call    func(text string) error
	stream  string
	mute    bool   // does not acknowledge updates
	unheard *event // the first, where there is no SUBSCRIBED
	offered []*event
}

// begin opens a stream and reads it.
func begin[C, E proto.Message](p *play, url string, call func() C, ev func() E, text string) (*actor, error) {
	client := callevent.NewClient[C](callevent.ClientConfig[E]{URL: url, Codec: p.codec, New: ev})
	decode := func(text string) (C, error) {
		c := call()
		return c, callevent.Unmarshal(callevent.JSON, []byte(text), c)
	}
	subscribe, err := decode(p.fill(text))
	p.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	p.exits = append(p.exits, cancel)
	stream, err := client.Subscribe(ctx, subscribe)
	if err != nil {
		return nil, err
	}
	a := &actor{p: p, events: make(chan *event, 10000), leave: cancel, stream: stream.ID()}
	a.call = func(text string) error {
		c, err := decode(p.fill(strings.ReplaceAll(text, "$ID", a.id)))
		p.must(err)
		return client.Send(p.t.Context(), c)
	}
	go func() {
		defer close(a.events)
		for {
			e, err := stream.Next()
			if err != nil {
				return
			}
			text, err := callevent.AppendJSON(nil, e)
			if err != nil {
				return
			}
			heard := &event{p: p, text: string(text)}
			_ = json.Unmarshal(text, &heard.value) // the codec prints JSON
			a.events <- heard
		}
	}()
	a.first = a.next()
	return a, nil
}

// next is the next event, whatever it is.
func (a *actor) next() *event {
	select {
	case e, open := <-a.events:
		if !open {
			a.p.fail("the stream ended")
		}
		a.note(e)
		return e
	case <-time.After(patience):
		a.p.fail("nothing was heard within %v", patience)
	}
	return nil
}

// note acknowledges an update, and keeps an offer.
func (a *actor) note(e *event) {
	switch {
	case e.at("type") == "OFFERS":
		var list struct {
			Offers struct{ Offers []json.RawMessage }
		}
		_ = json.Unmarshal([]byte(e.text), &list)
		for _, o := range list.Offers.Offers {
			offer := &event{p: a.p, text: string(o)}
			_ = json.Unmarshal(o, &offer.value)
			a.offered = append(a.offered, offer)
		}
	case a.mute:
	case e.at("update.status.uuid") != "" && a.id != "":
		a.acknowledge(e)
	case e.at("update_operation_status.status.uuid") != "":
		a.says(fmt.Sprintf(`{"type":"ACKNOWLEDGE_OPERATION_STATUS","framework_id":{"value":"$ID"},"acknowledge_operation_status":
			{"agent_id":{"value":%q},"operation_id":{"value":%q},"uuid":%q}}`, e.at("update_operation_status.status.agent_id.value"),
			e.at("update_operation_status.status.operation_id.value"), e.at("update_operation_status.status.uuid.value")))
	}
}

func (a *actor) acknowledge(e *event) {
	a.says(fmt.Sprintf(`{"type":"ACKNOWLEDGE","framework_id":{"value":"$ID"},"acknowledge":{"agent_id":{"value":%q},"task_id":{"value":%q},"uuid":%q}}`,
		e.at("update.status.agent_id.value"), e.at("update.status.task_id.value"), e.at("update.status.uuid")))
}

// hears waits for an event that has what is wanted; others go by.
func (a *actor) hears(want string) *event {
	want = a.p.fill(strings.ReplaceAll(want, "$ID", a.id))
	var near error
	if e := a.unheard; e != nil {
		a.unheard = nil
		if hasJSON([]byte(e.text), []byte(want)) == nil {
			return e
		}
	}
	for deadline := time.After(patience); ; {
		select {
		case e, open := <-a.events:
			if !open {
				a.p.fail("the stream ended before %s; nearest: %v", want, near)
			}
			a.note(e)
			err := hasJSON([]byte(e.text), []byte(want))
			if err == nil {
				return e
			}
			if e.at("type") != "HEARTBEAT" && e.at("type") != "OFFERS" || near == nil {
				near = fmt.Errorf("%w in %.1500s", err, e.text)
			}
		case <-deadline:
			a.p.fail("%s was not heard within %v; last: %v", want, patience, near)
		}
	}
}

// ends waits for the end of the stream.
func (a *actor) ends() {
	for deadline := time.After(patience); ; {
		select {
		case _, open := <-a.events:
			if !open {
				return
			}
		case <-deadline:
			a.p.fail("the stream goes on")
		}
	}
}

// says makes a call, which must be accepted.
func (a *actor) says(text string) {
	if err := a.call(text); err != nil {
		a.p.fail("%s: %w", text, err)
	}
}

// refused makes a call that must be refused.
func (a *actor) refused(text string, code int, why string) {
	err := a.call(text)
	var refusal *callevent.Error
	why = a.p.fill(strings.ReplaceAll(why, "$ID", a.id))
	if !errors.As(err, &refusal) || refusal.Code != code || refusal.Text != why {
		a.p.fail("%s: %v, want %d %s", text, err, code, why)
	}
}

// refusedAs is refused with any text.
func (a *actor) refusedAs(text string, code int) {
	err := a.call(text)
	var refusal *callevent.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		a.p.fail("%s: %v, want %d", text, err, code)
	}
}

// never wants no such event before the master has answered a question that is asked now.
func (a *actor) never(unwanted string) {
	unwanted = a.p.fill(strings.ReplaceAll(unwanted, "$ID", a.id))
	a.says(`{"type":"RECONCILE","framework_id":{"value":"$ID"},"reconcile":{"tasks":[{"task_id":{"value":"nobody"}}]}}`)
	for {
		e := a.next()
		if hasJSON([]byte(e.text), []byte(unwanted)) == nil {
			a.p.fail("heard %.1500s", e.text)
		}
		if e.at("update.status.task_id.value") == "nobody" {
			return
		}
	}
}

// capabilities of frameworks that name none.
const capable = `"capabilities":[{"type":"MULTI_ROLE"},{"type":"RESERVATION_REFINEMENT"},{"type":"PARTITION_AWARE"},{"type":"TASK_KILLING_STATE"}]`

// framework subscribes one; info is members of FrameworkInfo besides user and name.
func (p *play) framework(info string) *actor {
	a := p.subscribes(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"play",` + info + `}}}`)
	if a.id == "" {
		p.fail("not subscribed: %s", a.first.text)
	}
	p.exits = append(p.exits, func() { _ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`) })
	return a
}

// usual is a framework with all that most have.
func (p *play) usual() *actor { return p.framework(`"roles":["*"],` + capable) }

// subscribes makes a SUBSCRIBE of the scheduler API.
func (p *play) subscribes(call string) *actor {
	a, err := begin(p, p.master+"/api/v1/scheduler", func() *schedulerpb.Call { return &schedulerpb.Call{} },
		func() *schedulerpb.Event { return &schedulerpb.Event{} }, call)
	p.must(err)
	a.id = a.first.at("subscribed.framework_id.value")
	return a
}

// again subscribes a framework once more; members is what else its SUBSCRIBE has.
func (a *actor) again(info, members string) *actor {
	return a.p.subscribes(fmt.Sprintf(`{"type":"SUBSCRIBE","framework_id":{"value":%q},"subscribe":{"framework_info":
		{"user":"root","name":"play","id":{"value":%q},%s}%s}}`, a.id, a.id, info, members))
}

// watch subscribes an operator.
func (p *play) watch() *actor {
	a, err := begin(p, p.master+"/api/v1", func() *masterpb.Call { return &masterpb.Call{} },
		func() *masterpb.Event { return &masterpb.Event{} }, `{"type":"SUBSCRIBE"}`)
	p.must(err)
	return a
}

// executor subscribes one at the agent, as soon as its container is there.
func (p *play) executor(framework, id, members string) *actor {
	text := fmt.Sprintf(`{"type":"SUBSCRIBE","framework_id":{"value":%q},"executor_id":{"value":%q},"subscribe":{%s}}`, framework, id, members)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		a, err := begin(p, p.agent+"/api/v1/executor", func() *executorpb.Call { return &executorpb.Call{} },
			func() *executorpb.Event { return &executorpb.Event{} }, text)
		if err == nil {
			a.id, a.mute = framework, true
			return a
		}
		if time.Now().After(deadline) {
			p.fail("executor %s: %w", id, err)
		}
	}
}

// offer is the next offer of the agent that rows speak of.
func (a *actor) offer() *event { return a.offerOf(a.p.agentID) }

// offerOf is the next offer of an agent.
func (a *actor) offerOf(agent string) *event {
	for {
		for i, o := range a.offered {
			if o.at("agent_id.value") == agent {
				a.offered = append(a.offered[:i:i], a.offered[i+1:]...)
				return o
			}
		}
		a.next()
	}
}

// accepts takes the next offer for some operations; nothing is filtered.
func (a *actor) accepts(operations ...string) *event {
	o := a.offer()
	a.accept(o, operations...)
	return o
}

// acceptsWith is accepts of the first offer that has what is wanted.
func (a *actor) acceptsWith(want string, operations ...string) {
	for {
		o := a.offer()
		if hasJSON([]byte(o.text), []byte(want)) == nil {
			a.accept(o, operations...)
			return
		}
		a.accept(o)
	}
}

func (a *actor) accept(o *event, operations ...string) {
	a.says(fmt.Sprintf(`{"type":"ACCEPT","framework_id":{"value":"$ID"},"accept":{"offer_ids":[{"value":%q}],
		"filters":{"refuse_seconds":0},"operations":[%s]}}`, o.at("id.value"), strings.Join(operations, ",")))
}

// launching is the operation that launches tasks.
func launching(tasks ...string) string {
	return `{"type":"LAUNCH","launch":{"task_infos":[` + strings.Join(tasks, ",") + `]}}`
}

const small = `"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},{"name":"mem","type":"SCALAR","scalar":{"value":32}}]`

// task is a command task; members is what else it has.
func task(id, command, members string) string {
	return fmt.Sprintf(`{"name":"n","task_id":{"value":%q},"agent_id":{"value":"$AGENT"},%s,"command":{"value":%q}%s}`, id, small, command, members)
}

// under is a task for an executor that a play speaks for.
func under(executor, id string) string {
	return fmt.Sprintf(`{"name":"n","task_id":{"value":%q},"agent_id":{"value":"$AGENT"},%s,"executor":{"type":"CUSTOM","name":"e","executor_id":{"value":%q},
		"framework_id":{"value":"$ID"},%s,"command":{"value":"env > env; exec sleep 1000"}}}`, id, small, executor, small)
}

// update is an event that tells of a task's state.
func update(id, state, members string) string {
	return fmt.Sprintf(`{"type":"UPDATE","update":{"status":{"task_id":{"value":%q},"state":%q%s}}}`, id, state, members)
}

// runs launches a task and waits until it runs.
func (a *actor) runs(id, command string) *event {
	a.accepts(launching(task(id, command, "")))
	return a.hears(update(id, "TASK_RUNNING", ""))
}

// kills ends a task and waits until it has ended.
func (a *actor) kills(id string) {
	a.says(fmt.Sprintf(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":%q}}}`, id))
	a.hears(update(id, "TASK_KILLED", ""))
}

// ask makes an operator's call at the master; want is what the answer has, "" for no body.
func (p *play) ask(call, want string) *event {
	return p.operate(p.master, call, want, &masterpb.Call{}, &masterpb.Response{})
}

// askAgent is ask at the agent.
func (p *play) askAgent(call, want string) *event {
	return p.operate(p.agent, call, want, &agentpb.Call{}, &agentpb.Response{})
}

// soon asks until the answer has what is wanted.
func (p *play) soon(call, want string) *event {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		e := p.ask(call, "{}")
		err := hasJSON([]byte(e.text), []byte(p.fill(want)))
		if err == nil {
			return e
		}
		if time.Now().After(deadline) {
			p.fail("%w in %.1500s", err, e.text)
		}
	}
}

// agentSoon is soon at the agent.
func (p *play) agentSoon(call, want string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		e := p.askAgent(call, "{}")
		err := hasJSON([]byte(e.text), []byte(p.fill(want)))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.fail("%w in %.1500s", err, e.text)
		}
	}
}

// session makes a call of the agent that is answered by a stream.
func (p *play) session(call string) *actor {
	a, err := begin(p, p.agent+"/api/v1", func() *agentpb.Call { return &agentpb.Call{} }, func() *agentpb.ProcessIO { return &agentpb.ProcessIO{} }, call)
	p.must(err)
	a.mute = true
	a.unheard = a.first
	return a
}

func (p *play) operate(url, call, want string, c, answer proto.Message) *event {
	code, text := p.post(url, call, c, answer)
	if code/100 != 2 {
		p.fail("%s: %d %s", call, code, text)
	}
	e := &event{p: p, text: text}
	if want == "" {
		if text != "" {
			p.fail("%s: %s, want no body", call, text)
		}
		return e
	}
	p.must(json.Unmarshal([]byte(text), &e.value))
	return e.has(want)
}

// denied makes an operator's call that must be refused.
func (p *play) denied(call string, code int, why string) {
	got, text := p.post(p.master, call, &masterpb.Call{}, &masterpb.Response{})
	if got != code || text != p.fill(why) {
		p.fail("%s: %d %s, want %d %s", call, got, text, code, p.fill(why))
	}
}

// post makes one operator's call in the play's encoding and returns the answer in JSON.
func (p *play) post(url, call string, c, answer proto.Message) (int, string) {
	p.must(callevent.Unmarshal(callevent.JSON, []byte(p.fill(call)), c))
	body, err := callevent.Marshal(p.codec, c)
	p.must(err)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, url+"/api/v1", bytes.NewReader(body))
	p.must(err)
	req.Header.Set("Content-Type", p.codec.MediaType())
	req.Header.Set("Accept", p.codec.MediaType())
	resp, err := p.http.Do(req)
	p.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	p.must(err)
	if resp.Header.Get("Content-Type") == callevent.Protobuf.MediaType() && len(text) > 0 {
		p.must(proto.Unmarshal(text, answer))
		text, err = callevent.AppendJSON(nil, answer)
		p.must(err)
	}
	return resp.StatusCode, string(text)
}

// get reads one of the older endpoints.
func (p *play) get(url, want string) *event {
	resp, err := p.http.Get(p.fill(url))
	p.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	p.must(err)
	e := &event{p: p, text: string(text)}
	if resp.StatusCode != http.StatusOK {
		p.fail("GET %s: %s %s", url, resp.Status, text)
	}
	if want != "" {
		p.must(json.Unmarshal(text, &e.value))
		e.has(want)
	}
	return e
}
