package doctest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	page := strings.ReplaceAll(`# Title
~~~
not a command
~~~
~~~sh
# terminal cluster
make run
~~~

~~~text
up …
~~~
~~~sh
curl x
~~~
Words.
~~~text
not its output
~~~
~~~sh retry
curl y
~~~
~~~text
y
~~~
~~~sh
# by hand: once
apt-get install go
~~~
~~~sh
# terminal cluster: Ctrl-C
~~~
`, "~~~", "```")
	got, err := Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Line: 5, Text: "# terminal cluster\nmake run\n", Expected: "up …\n", Shown: true, Terminal: "cluster"},
		{Line: 13, Text: "curl x\n"},
		{Line: 20, Text: "curl y\n", Expected: "y\n", Shown: true, Retry: true},
		{Line: 26, Text: "# by hand: once\napt-get install go\n", ByHand: true},
		{Line: 30, Text: "# terminal cluster: Ctrl-C\n", Terminal: "cluster", Stop: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ page, want string }{
		"a block without end":           {"```sh\ntrue\n", "line 1: the block has no end"},
		"an unknown mark":               {"\n```sh again\ntrue\n```\n", `line 2: "again" says nothing about a block`},
		"waiting for nothing":           {"```sh retry\ntrue\n```\n", "line 1: a block to retry shows no output to wait for"},
		"another way to end a terminal": {"```sh\n# terminal a: Ctrl-D\n```\n", `line 1: a terminal is ended with Ctrl-C, not with " Ctrl-D"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(c.page)
			if err == nil || err.Error() != c.want {
				t.Errorf("Parse = %v, want %s", err, c.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	for name, c := range map[string]struct {
		expected, output string
		want             bool
	}{
		"the same":                {"a b\n", "a b\n", true},
		"wrapped":                 {"{\"a\": 1,\n  \"b\": 2}", `{"a":1,"b":2}`, true},
		"anything between":        {`{"id":"…","x":1}`, `{"id":"17","x":1}`, true},
		"anything over lines":     {"first\n…\nlast", "first\nsecond\nthird\nlast\n", true},
		"nothing between":         {"a…b", "ab", true},
		"something before":        {"b", "ab", false},
		"something after":         {"a", "ab", false},
		"something else":          {"a…c", "ab", false},
		"no pattern but the dots": {"a.c", "abc", false},
		"nothing expected":        {"", "a", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Matches(c.expected, c.output); got != c.want {
				t.Errorf("Matches(%q, %q) = %t", c.expected, c.output, got)
			}
		})
	}
}

func TestMapping(t *testing.T) {
	m := Mapping{5050: 40001, 8080: 40002}
	commands := "curl localhost:5050/tasks --port 8080 15050 50501"
	applied := m.Apply(commands)
	if want := "curl localhost:40001/tasks --port 40002 15050 50501"; applied != want {
		t.Errorf("Apply = %q, want %q", applied, want)
	}
	if got := m.Undo(applied); got != commands {
		t.Errorf("Undo = %q, want %q", got, commands)
	}
}
