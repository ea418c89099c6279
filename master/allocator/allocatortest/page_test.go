package allocatortest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/allocatortest"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// TestThePagesPolicyConforms runs the policy of docs/how-to/write-an-allocator.md.
func TestThePagesPolicyConforms(t *testing.T) {
	allocatortest.Run(t, newWarmup(500*time.Millisecond, hierarchical.New))
}

func TestNewAgentsRest(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := newWarmup(10*time.Second, hierarchical.New)(allocator.Config{})
	total, err := resources.Parse("cpus:1;mem:64", "*")
	if err != nil {
		t.Fatal(err)
	}
	a.AddFramework(now, allocator.Framework{ID: "f", Roles: []string{"*"}}, true)
	for _, id := range []mesos.AgentID{"stays", "goes"} {
		a.AddAgent(now, allocator.Agent{ID: id, Total: total}, nil)
	}
	a.RemoveAgent(now.Add(time.Second), "goes")
	if list := a.Allocate(now.Add(9 * time.Second)); len(list) > 0 {
		t.Errorf("allocated %v of an agent that rests", list)
	}
	if at, ok := a.Deadline(); !ok || !at.Equal(now.Add(10*time.Second)) {
		t.Errorf("Deadline = %v, %v, want when the agent is ready", at, ok)
	}
	if list := a.Allocate(now.Add(10 * time.Second)); len(list) != 1 || list[0].Agent != "stays" {
		t.Errorf("allocated %v, want the agent that has rested", list)
	}
}

// TestThePageQuotesThePolicy: what the page shows is what the tests above have run.
func TestThePageQuotesThePolicy(t *testing.T) {
	source, err := os.ReadFile("warmup_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.FromSlash("../../../docs/how-to/write-an-allocator.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, policy, _ := strings.Cut(string(source), "// warmup is")
	policy = "// warmup is" + policy
	if !strings.Contains(string(page), "```go\n"+policy+"```\n") {
		t.Error("docs/how-to/write-an-allocator.md does not quote warmup_test.go: copy it from \"// warmup is\" to its end")
	}
	if n := strings.Count(policy, "\n"); n > 60 {
		t.Errorf("the policy has %d lines, want at most 60", n)
	}
}
