package master_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/soukproject/souk/internal/client"
	"github.com/soukproject/souk/master"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// explainGroup is a group of an answer.
type explainGroup struct {
	FrameworkName string `json:"framework_name"`
	Reason        string
	Agents        int
	Ends          float64 `json:"first_ends_in_secs"`
	Holders       []struct {
		FrameworkName string `json:"framework_name"`
	}
}

// explained asks and reads the answer.
func explained(t *testing.T, address, query string) (answer struct {
	Groups []explainGroup
	Pairs  int
	Next   string
	Empty  struct{ Count int } `json:"empty_agents"`
},
) {
	t.Helper()
	code, body := get(t, "http://"+address+"/allocator/explain?"+query)
	if code != http.StatusOK {
		t.Fatalf("GET /allocator/explain?%s = %d %s, want 200", query, code, body)
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return answer
}

// explain runs `souk explain`.
func explain(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	commands := client.Commands()
	i := slices.IndexFunc(commands, func(c client.Command) bool { return c.Name == "explain" })
	err := commands[i].Run(t.Context(), args, nil, client.Terminal{Out: &out})
	return out.String(), err
}

func TestExplain(t *testing.T) {
	address := start(t)
	hoarder := subscribe(t, address, frameworkInfo("hoarder"))
	first := register(t, address, agentInfo(t, "first", 5051))
	hoarder.await(schedulerpb.Event_OFFERS)
	refuser := subscribe(t, address, frameworkInfo("refuser"))
	register(t, address, agentInfo(t, "second", 5052))
	offer := refuser.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	if err := hoarder.call(&schedulerpb.Call{Type: schedulerpb.Call_SUPPRESS.Enum()}); err != nil {
		t.Fatal(err)
	}
	if err := refuser.call(&schedulerpb.Call{Type: schedulerpb.Call_DECLINE.Enum(), Decline: &schedulerpb.Call_Decline{
		OfferIds: []*mesospb.OfferID{offer.GetId()}, Filters: &mesospb.Filters{RefuseSeconds: new(1000.0)},
	}}); err != nil {
		t.Fatal(err)
	}

	groups := map[string]explainGroup{}
	for _, g := range explained(t, address, "").Groups {
		groups[g.FrameworkName+" "+g.Reason] = g
	}
	if g := groups["refuser offered_to_others"]; g.Agents != 1 || len(g.Holders) != 1 || g.Holders[0].FrameworkName != "hoarder" {
		t.Errorf("of what others have not answered: %+v, want one agent, on offer to hoarder", g)
	}
	if g := groups["refuser declined"]; g.Agents != 1 || g.Ends < 900 || g.Ends > 1016 { // filters end a little late
		t.Errorf("of what refuser declined: %+v, want one agent for 1000 s", g)
	}
	if g := groups["hoarder role_suppressed"]; g.Agents != 2 {
		t.Errorf("of what hoarder suppressed: %+v, want two agents", g)
	}
	if got := explained(t, address, "framework=refuser&agent=first"); len(got.Groups) != 1 || got.Groups[0].Reason != "offered_to_others" {
		t.Errorf("of one agent: %+v, want that it is on offer", got)
	}
	operate(t, address, fmt.Sprintf(`{"type":"DEACTIVATE_AGENT","deactivate_agent":{"agent_id":{"value":%q}}}`, first.id.GetValue()))
	if got := explained(t, address, "framework=refuser&agent=first"); len(got.Groups) != 1 || got.Groups[0].Reason != "agent_deactivated" {
		t.Errorf("of an agent that was deactivated: %+v", got)
	}
	if got := explained(t, address, ""); got.Empty.Count != 2 { // what is on offer is not used
		t.Errorf("%d empty agents, want 2", got.Empty.Count)
	}
	if got := explained(t, address, "empty_for=1h"); got.Empty.Count != 0 {
		t.Errorf("%d agents have been empty for an hour, want none", got.Empty.Count)
	}

	page := explained(t, address, "pairs=3")
	if page.Pairs != 3 || page.Next == "" {
		t.Fatalf("page of 3 pairs of 4: %+v", page)
	}
	if rest := explained(t, address, "from="+page.Next); rest.Pairs != 1 || rest.Next != "" {
		t.Errorf("the next page: %+v, want the last pair", rest)
	}

	out, err := explain(t, "--master="+address, "--framework=refuser")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "souk explain", out, "FRAMEWORK", "refuser", "second", "the framework declined it", "ends in 16m", "agents nobody uses  2")
	if out, err := explain(t, "--master="+address, "--json"); err != nil || !json.Valid([]byte(out)) {
		t.Errorf("souk explain --json = %s, %v, want JSON", out, err)
	}
}

// TestExplainOfARole is about what lies below it, too.
func TestExplainOfARole(t *testing.T) {
	address := start(t)
	below := frameworkInfo("below")
	below.Roles = []string{"dev/a"}
	subscribe(t, address, below)
	other := frameworkInfo("other")
	other.Roles = []string{"develop"}
	subscribe(t, address, other)
	register(t, address, agentInfo(t, "h", 5051))
	for role, want := range map[string]int{"dev": 1, "dev/a": 1, "develop": 1} {
		if got := explained(t, address, "role="+role).Pairs; got != want {
			t.Errorf("explain of role %s looks at %d pairs, want %d", role, got, want)
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	address := start(t)
	for query, text := range map[string]string{
		"framework=x":   `there is no framework "x": give the id or name`,
		"agent=x":       `there is no agent "x": give the id or host name`,
		"role=x":        `there is no role "x": no framework has it or one below it`,
		"pairs=0":       `Query parameter 'pairs' is "0": give a number from 1 to`,
		"limit=1000000": `Query parameter 'limit' is "1000000": give a number from 1 to`,
		"from=z":        `Query parameter 'from' is "z"`,
		"empty_for=z":   `Query parameter 'empty_for'`,
		"colour=red":    `Query parameter 'colour' is not known`,
	} {
		if code, body := get(t, "http://"+address+"/allocator/explain?"+query); code != http.StatusBadRequest || !strings.Contains(body, text) {
			t.Errorf("GET /allocator/explain?%s = %d %s, want 400 %s", query, code, body, text)
		}
	}
	if code, _ := post(t, "http://"+address+"/allocator/explain", "", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d, want 405", code)
	}
	for args, text := range map[string]string{
		"--master=" + address + " --agent=x": `answers 400 Bad Request: there is no agent "x"`,
		"--master=" + address + " --role=x":  `there is no role "x"`,
		"--master=zk://h":                    "flag --master",
		"--master=h":                         `"h" is not host:port`,
		"--master=127.0.0.1:1":               "is it running?",
	} {
		if _, err := explain(t, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("souk explain %s = %v, want %s", args, err, text)
		}
	}
}

// mute is a policy that does not explain itself.
type mute struct{ allocator.Allocator }

func TestExplainWithAPolicyThatCannot(t *testing.T) {
	address := start(t, func(cfg *master.Config) {
		cfg.Allocator = "mute"
		cfg.Policies = allocator.Policies{"mute": func(c allocator.Config) allocator.Allocator { return mute{hierarchical.New(c)} }}
	})
	if code, body := get(t, "http://"+address+"/allocator/explain"); code != http.StatusNotImplemented || !strings.Contains(body, "allocator.Explainer") {
		t.Errorf("GET /allocator/explain = %d %s, want 501", code, body)
	}
}
