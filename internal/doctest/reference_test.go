package doctest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/reference/flags.md anew")

// TestFlagsPage: the page is what the programs say themselves.
func TestFlagsPage(t *testing.T) {
	page := flagsPage(t)
	path := filepath.Join(rootOf(t), "docs/reference/flags.md")
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), page); diff != "" {
		t.Errorf("docs/reference/flags.md is stale: go test ./internal/doctest -run Flags -update (-page +programs)\n%s", diff)
	}
}

func flagsPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Flags

Generated from the programs' own help: ` + "`souk COMMAND --help`" + `.

A flag is written ` + "`--work_dir=x`, `--work_dir x` or with dashes, `--work-dir x`" + `. It may also come from the environment, as
` + "`SOUK_WORK_DIR` or `MESOS_WORK_DIR`" + `; the command line wins. A value ` + "`file:///path`" + ` is read from that file. Times are
written as in Mesos: ` + "`500ms`, `10secs`, `5mins`, `1hrs`, `2weeks`" + `, where a flag does not say milliseconds or seconds. A boolean
is ` + "`--quiet` or `--no-quiet`" + `. An unknown flag or a value that makes no sense ends the program with one line that names it.
`)
	for _, c := range [][]string{
		{"souk", "local"}, {"souk", "master"}, {"souk", "agent"}, {"souk", "marathon"}, {"souk", "chronos"},
		{"souk", "agents"}, {"souk", "frameworks"}, {"souk", "tasks"}, {"souk", "run"}, {"souk", "logs"}, {"souk", "exec"}, {"souk", "explain"},
		{"souk", "state", "export"}, {"souk", "state", "import"}, {"souk-bench"},
	} {
		cmd := exec.Command(program(t, c[0]), append(c[1:len(c):len(c)], "--help")...)
		cmd.Env = []string{} // where no flag is set
		help, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v --help: %v\n%s", c, err, help)
		}
		fmt.Fprintf(&b, "\n## %s\n| flag | default | meaning |\n|---|---|---|\n", strings.Join(c, " "))
		for _, f := range flagsOf(string(help)) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, f.absent, strings.ReplaceAll(f.meaning, "|", `\|`))
		}
	}
	return b.String()
}

type flagHelp struct{ name, absent, meaning string }

// flagsOf reads a help text: a flag and its default on one line, its meaning
// on the next.
func flagsOf(help string) []flagHelp {
	var all []flagHelp
	for line := range strings.Lines(help) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "  --"); ok {
			f := flagHelp{name: "--" + name}
			if name, absent, ok := strings.Cut(f.name, " (default "); ok {
				f.name, f.absent = name, "`"+strings.ReplaceAll(strings.TrimSuffix(absent, ")"), "|", `\|`)+"`"
			}
			all = append(all, f)
			continue
		}
		if meaning, ok := strings.CutPrefix(line, "        "); ok && len(all) > 0 {
			f := &all[len(all)-1]
			f.meaning = strings.TrimSpace(f.meaning + " " + meaning)
		}
	}
	return all
}

// TestFlagsOf: the page would be empty, and right, if help could not be read.
func TestFlagsOf(t *testing.T) {
	help := "Usage: x [flags]\n\nFlags.\n\n  --[no-]a (default true)\n        First\n  --b\n        Second, and\n        more\n"
	want := []flagHelp{{"--[no-]a", "`true`", "First"}, {"--b", "", "Second, and more"}}
	if diff := cmp.Diff(want, flagsOf(help), cmp.AllowUnexported(flagHelp{})); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

// TestQuotedCode: a block fenced as "go PATH" is a piece of that file.
func TestQuotedCode(t *testing.T) {
	root := rootOf(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs/*/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	quotes := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all, err := fences(string(text))
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
		for _, f := range all {
			path, ok := strings.CutPrefix(f.info, "go ")
			if !ok {
				continue
			}
			quotes++
			code, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Errorf("%s:%d: %v", page, f.line, err)
			} else if !strings.Contains(string(code), f.text) {
				t.Errorf("%s:%d: %s has no such code:\n%s", page, f.line, path, f.text)
			}
		}
	}
	if quotes < 5 {
		t.Errorf("found %d quotes of code, want those of write-a-framework.md", quotes)
	}
}
