package conformance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// plain are the files whose rows are single requests.
func plain() []string {
	return []string{"http.jsonl", "json.jsonl", "operator.jsonl", "agent.jsonl", "scheduler.jsonl", "legacy.jsonl"}
}

// TestConformance asks all rows.
func TestConformance(t *testing.T) {
	c := start(t)
	for _, name := range plain() {
		t.Run(strings.TrimSuffix(name, ".jsonl"), func(t *testing.T) {
			for _, r := range readRows[row](t, name) {
				holds(t, c, r.At, r.Name, r.NotYet, func() error { return r.say(c) })
			}
		})
	}
	for _, codec := range []callevent.Codec{callevent.JSON, callevent.Protobuf} {
		t.Run("subscribe in "+codec.String(), func(t *testing.T) {
			for _, r := range readRows[subscription](t, "subscribe.jsonl") {
				holds(t, c, r.At, r.Name, r.NotYet, func() error { return r.say(t, c, codec) })
			}
		})
		t.Run("launch in "+codec.String(), func(t *testing.T) { launchAll(t, c, codec) })
		t.Run("operations in "+codec.String(), func(t *testing.T) { operateAll(t, c, codec) })
	}
	t.Run("metrics", func(t *testing.T) { metricsAll(t, c) })
	t.Run("steps", func(t *testing.T) {
		for _, s := range steps() {
			holds(t, c, s.at, s.name, s.notYet, func() error { return s.performAll(t, c) })
		}
	})
}

// A subscription is a SUBSCRIBE and what the first event says.
type subscription struct {
	At, Name string
	NotYet   string `json:"not_yet"`
	Call     json.RawMessage
	Error    string // of the ERROR event; "": SUBSCRIBED
	Status   int    // of a refusal before the stream, if there is one
	Text     string // of that refusal
}

func (r *subscription) say(t *testing.T, c *cluster, codec callevent.Codec) error {
	call := &schedulerpb.Call{}
	if err := callevent.Unmarshal(callevent.JSON, r.Call, call); err != nil {
		return fmt.Errorf("the row is no call: %w", err)
	}
	if id := call.GetFrameworkId().GetValue(); id != "" && r.Error == "" && r.Status == 0 {
		// An id is good for one life only, so that each run brings another.
		id = id[:max(0, len(id)-8)] + uuid.NewString()[:8]
		call.FrameworkId.Value, call.Subscribe.FrameworkInfo.Id.Value = &id, &id
	}
	s, err := c.open(t, codec, call)
	var refused *callevent.Error
	if errors.As(err, &refused) {
		if refused.Code != r.Status || refused.Text != r.Text {
			return fmt.Errorf("%d %q, want %d %q", refused.Code, refused.Text, r.Status, r.Text)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if s.id != "" {
		defer s.teardown()
	}
	switch got := s.first.GetError().GetMessage(); {
	case r.Status != 0:
		return fmt.Errorf("%v, want %d %s", s.first, r.Status, r.Text)
	case got != r.Error:
		return fmt.Errorf("ERROR %q, want %q", got, r.Error)
	case r.Error == "" && s.id == "":
		return fmt.Errorf("%v, want SUBSCRIBED", s.first)
	}
	return nil
}

// A launch is an operation of an ACCEPT that is refused, and the updates that say so.
type launch struct {
	At, Name  string
	NotYet    string `json:"not_yet"`
	Operation json.RawMessage
	Updates   []struct{ Task, State, Reason, Message string }
}

// launchAll asks all launches in one ACCEPT: what is refused takes nothing away
// from the others.
func launchAll(t *testing.T, c *cluster, codec callevent.Codec) {
	s := c.subscribe(t, codec, frameworkInfo("launches"))
	defer s.teardown()
	offer, err := s.offer()
	if err != nil {
		t.Fatal(err)
	}
	rows := readRows[launch](t, "launch.jsonl")
	accept := &schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{OfferIds: []*mesospb.OfferID{offer.GetId()}}}
	own := strings.NewReplacer("$FRAMEWORK", s.id)
	pending := 0
	for i := range rows {
		op := &mesospb.Offer_Operation{}
		if err := callevent.Unmarshal(callevent.JSON, []byte(c.fill(own.Replace(string(rows[i].Operation)))), op); err != nil {
			t.Fatalf("%s: %v", rows[i].Name, err)
		}
		accept.Accept.Operations = append(accept.Accept.Operations, op)
		pending += len(rows[i].Updates)
	}
	if err := s.call(accept); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]*mesospb.TaskStatus)
	for len(got) < pending {
		e, err := s.await(ofType(schedulerpb.Event_UPDATE))
		if err != nil {
			t.Errorf("%d of %d updates came: %v", len(got), pending, err)
			break
		}
		got[e.GetUpdate().GetStatus().GetTaskId().GetValue()] = e.GetUpdate().GetStatus()
	}
	for _, r := range rows {
		holds(t, c, r.At, r.Name, r.NotYet, func() error {
			for _, u := range r.Updates {
				status := got[u.Task]
				text := fmt.Sprintf("%s %s %s", status.GetState(), status.GetReason(), status.GetMessage())
				if want := fmt.Sprintf("%s %s %s", u.State, u.Reason, c.fill(own.Replace(u.Message))); text != want {
					return fmt.Errorf("task %q: %s, want %s", u.Task, text, want)
				}
			}
			return nil
		})
	}
}

// TestRowsNameTheirPlace: the line that a row names lies in the section it names.
func TestRowsNameTheirPlace(t *testing.T) {
	page, err := os.ReadFile("../../../shared/reference/mesos-api.md")
	if err != nil {
		t.Skipf("the reference page is not here: %v", err)
	}
	sections := []string{""} // by line
	section := ""
	heading := regexp.MustCompile(`^##+ ([0-9]+(\.[0-9]+)?)`)
	for line := range strings.Lines(string(page)) {
		if m := heading.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		sections = append(sections, section)
	}
	check := func(at, name string) {
		section, text, _ := strings.Cut(at, ":")
		if line, err := strconv.Atoi(text); err != nil || line >= len(sections) || sections[line] != section {
			t.Errorf("%s %s: no such place on the page", at, name)
		}
	}
	for _, name := range plain() {
		for _, r := range readRows[row](t, name) {
			check(r.At, r.Name)
		}
	}
	for _, r := range readRows[subscription](t, "subscribe.jsonl") {
		check(r.At, r.Name)
	}
	for _, r := range readRows[launch](t, "launch.jsonl") {
		check(r.At, r.Name)
	}
	for _, r := range readRows[operation](t, "operations.jsonl") {
		check(r.At, r.Name)
	}
	for _, r := range readRows[metric](t, "metrics.jsonl") {
		check(r.At, r.Name)
	}
	for _, s := range steps() {
		check(s.at, s.name)
	}
}

// TestNotYetIsListed: what does not hold is told to users.
func TestNotYetIsListed(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := func(at, name, why string) {
		if why != "" && !strings.Contains(string(page), at+" "+name) {
			t.Errorf("docs/reference/compatibility.md does not list %s %s: %s", at, name, why)
		}
	}
	for _, name := range plain() {
		for _, r := range readRows[row](t, name) {
			listed(r.At, r.Name, r.NotYet)
		}
	}
	for _, r := range readRows[subscription](t, "subscribe.jsonl") {
		listed(r.At, r.Name, r.NotYet)
	}
	for _, r := range readRows[launch](t, "launch.jsonl") {
		listed(r.At, r.Name, r.NotYet)
	}
	for _, r := range readRows[operation](t, "operations.jsonl") {
		listed(r.At, r.Name, r.NotYet)
	}
	for _, r := range readRows[metric](t, "metrics.jsonl") {
		listed(r.At, r.Name, r.NotYet)
	}
	for _, s := range steps() {
		listed(s.at, s.name, s.notYet)
	}
}
