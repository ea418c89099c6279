package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLimitsPage: where the figures of docs/reference/limits.md come from. When
// one changes, the page must, and then this list.
func TestLimitsPage(t *testing.T) {
	root := rootOf(t)
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page := read("docs/reference/limits.md")
	for _, l := range []struct{ file, code, page string }{
		{"internal/daemon/server.go", "headerTimeout = 10 * time.Second", "64 KiB, within 10 s"},
		{"internal/daemon/server.go", "maxHeaderBytes = 64 << 10", "64 KiB, within 10 s"},
		{"internal/daemon/server.go", "exchangeTimeout = 60 * time.Second", "60 s for the body"},
		{"internal/daemon/server.go", "idleTimeout = 2 * time.Minute", "| idle connection | 2 min"},
		{"internal/daemon/server.go", "min(descriptorLimit()*3/4, 50_000)", "at most 50,000"},
		{"internal/callevent/callevent.go", "maxDepth = 200", "lists | 200"},
		{"internal/callevent/read.go", "DefaultReadTimeout = 30 * time.Second", "8 MiB, within 30 s"},
		{"internal/callevent/outbox.go", "DefaultWriteTimeout = 30 * time.Second", "one write to a subscriber | 30 s"},
		{"master/api/api.go", "maxCall = 8 << 20", "8 MiB, within 30 s"},
		{"master/api/api.go", "maxLink = 64 << 20", "on the link | 64 MiB"},
		{"master/api/api.go", "Limits{Schedulers: 10_000, Agents: 100_000, Operators: 1000, Outbox: 1 << 17}", "waiting for one subscriber | 131,072"},
		{"master/api/explain.go", "maxPairs = 1 << 20", "1,048,576, two answers"},
		{"master/api/explain.go", "explainersAtOnce = 2", "1,048,576, two answers"},
		{"internal/routing/routing.go", "maxSegments = 64", "segments of a path (master, agent) | 64"},
		{"master/api/endpoints.go", "maxForm = 1 << 20", "body of `/teardown` `/weights` `/quota` | 1 MiB"},
		{"master/core/core.go", "maxRefusal = 365 * 24 * time.Hour", "at most 365 days"},
		{"master/core/core.go", "defaultRefusal = 5 * time.Second", "5 s unless the filter says"},
		{"master/core/frameworks.go", "maxStrays = 10_000", "known from agents alone, as after a change of masters | 10,000"},
		{"master/core/agents.go", "maxRemoved = 100_000", "not taken back under their ids | 100,000"},
		{"master/validation/constraints.go", "maxPatternLength = 4096", "4096 characters"},
		{"proto/mesos/ids.go", "MaxIDLength = 255", "255 bytes"},
		{"proto/mesos/resources/parse.go", "maxText = 1 << 20", "text of `--resources` | 1 MiB"},
		{"internal/files/files.go", "maxRead = 16 * 4096", "one read of a file | 64 KiB"},
		{"master/validation/maintenance.go", "maxSchedule = 512 << 10", "a maintenance schedule | 512 KiB"},
		{"agent/sandbox/files.go", "maxListed = 100_000", "one directory | 100,000"},
		{"agent/statusupdate/statusupdate.go", "MinBackoff = 10 * time.Second", "again after 10 s, doubling to 10 min"},
		{"agent/statusupdate/statusupdate.go", "MaxBackoff = 10 * time.Minute", "again after 10 s, doubling to 10 min"},
		{"agent/containerizer/runc/driver_linux.go", "defaultPIDs = 4096", "4096 (runc)"},
		{"agent/core/kill.go", "defaultGrace = 3 * time.Second", "3 s from `SIGTERM` to `SIGKILL`"},
		{"agent/core/frameworks.go", "maxCompletedExecutors = 150", "150 per framework"},
		{"frameworks/marathon/api/api.go", "bodyLimit = 8 << 20", "| request body | 8 MiB"},
		{"frameworks/marathon/core/spec/decode.go", "maxDepth = 64", "nesting of JSON | 64"},
		{"frameworks/marathon/core/spec/id.go", "MaxIDLength = 192", "id of an app | 192 characters"},
		{"frameworks/marathon/core/change.go", "maxEdits = 1000", "changed by one request | 1000"},
		{"frameworks/marathon/core/change.go", "maxDefinition = 512 << 10", "one app as JSON | 512 KiB"},
		{"frameworks/marathon/api/events.go", "maxListeners = 1000", "event streams | 1000"},
		{"frameworks/chronos/core/core.go", "MaxJobs = 100_000", "jobs | 100,000"},
		{"frameworks/chronos/core/core.go", "MaxJobBytes = 128 << 10", "a job as JSON | 128 KiB"},
		{"frameworks/chronos/core/core.go", "MaxParents = 1000", "parents of a job | 1000"},
		{"frameworks/chronos/core/core.go", "MaxArguments = 1 << 10", "of a run | 1 KiB"},
		{"frameworks/chronos/core/core.go", "MaxRecordBytes = 704 << 10", "704 KiB in all"},
		{"frameworks/chronos/core/core.go", "maxActive = 50", "waiting | 50"},
		{"internal/state/state.go", "MaxValueBytes = 768 << 10", "an entry | 768 KiB"},
		{"internal/state/state.go", "MaxOps = 4096", "4096 entries, 16 MiB"},
		{"internal/local/config.go", "maxAgents = 100", "at most 100 agents"},
	} {
		if !strings.Contains(spaces.ReplaceAllString(read(l.file), " "), l.code) {
			t.Errorf("%s no longer has %q: correct docs/reference/limits.md, which says %q, and this list", l.file, l.code, l.page)
		}
		if !strings.Contains(page, l.page) {
			t.Errorf("docs/reference/limits.md does not say %q; %s has %s", l.page, l.file, l.code)
		}
	}
}

var spaces = regexp.MustCompile(`[ \t]+`)
