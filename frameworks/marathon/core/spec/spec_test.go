package spec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

func rules() spec.Rules {
	return spec.Rules{Role: "*", BridgeName: "mesos-bridge", Features: spec.Features()}
}

func object(t *testing.T, text string) spec.Object {
	t.Helper()
	o, err := spec.Decode([]byte(text))
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return o
}

// build is the definition of an object that must be valid.
func build(t *testing.T, text string) *spec.App {
	t.Helper()
	a, err := spec.New(rules(), "/x", object(t, text))
	if err != nil {
		t.Fatalf("New(%s) = %v, want nil", text, err)
	}
	return a
}

// violations are the paths and texts of what is wrong with an object.
func violations(t *testing.T, text string) []string {
	t.Helper()
	_, err := spec.New(rules(), "/x", object(t, text))
	var problems *spec.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("New(%s) = %v, want *Problems", text, err)
	}
	var out []string
	for _, d := range problems.Details {
		out = append(out, d.Path+" "+strings.Join(d.Errors, "; "))
	}
	return out
}

func TestDefaults(t *testing.T) {
	want := `{"id":"/x","backoffFactor":1.15,"backoffSeconds":1,"cmd":"true","cpus":1,"disk":0,"executor":"","gpus":0,` +
		`"instances":1,"killSelection":"YOUNGEST_FIRST","labels":{},"maxLaunchDelaySeconds":300,"mem":128,"networks":[{"mode":"host"}],` +
		`"portDefinitions":[{"name":"default","port":0,"protocol":"tcp"}],"requirePorts":false,"role":"*",` +
		`"unreachableStrategy":{"expungeAfterSeconds":0,"inactiveAfterSeconds":0},` +
		`"upgradeStrategy":{"maximumOverCapacity":1,"minimumHealthCapacity":1},"version":"1970-01-01T00:00:00.000Z",` +
		`"versionInfo":{"lastScalingAt":"1970-01-01T00:00:00.000Z","lastConfigChangeAt":"1970-01-01T00:00:00.000Z"}}`
	if got := string(build(t, `{"cmd":"true"}`).JSON()); got != want {
		t.Errorf("JSON = %s\nwant   %s", got, want)
	}
}

// TestNullIsAbsent: clients send null for everything they leave out.
func TestNullIsAbsent(t *testing.T) {
	plain := build(t, `{"cmd":"true"}`)
	nulls := build(t, `{"cmd":"true","args":null,"labels":null,"env":null,"uris":null,"ports":null,"portDefinitions":null,"container":null,
		"constraints":null,"healthChecks":null,"upgradeStrategy":null,"unreachableStrategy":null,"user":null,"ipAddress":null,"networks":null,
		"taskKillGracePeriodSeconds":null,"acceptedResourceRoles":null,"residency":null,"secrets":null,"killSelection":null,"unknownMember":{"a":1}}`)
	if diff := cmp.Diff(string(plain.JSON()), string(nulls.JSON())); diff != "" {
		t.Errorf("with nulls (-without +with):\n%s", diff)
	}
}

func TestEmptyAndAbsentPortsDiffer(t *testing.T) {
	for _, tt := range []struct {
		body string
		want int
	}{
		{`{"cmd":"x"}`, 1}, {`{"cmd":"x","ports":[]}`, 0}, {`{"cmd":"x","portDefinitions":[]}`, 0},
		{`{"cmd":"x","ports":[0,80]}`, 2}, {`{"cmd":"x","ports":[80],"portDefinitions":[{"port":80}]}`, 1},
	} {
		if got := len(build(t, tt.body).PortDefinitions); got != tt.want {
			t.Errorf("%s has %d ports, want %d", tt.body, got, tt.want)
		}
	}
}

func TestViolations(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{`{"cmd":1}`, "/cmd error.expected.jsstring"},
		{`{"cmd":"x","cpus":"1"}`, "/cpus error.expected.jsnumber"},
		{`{"cmd":"x","instances":1.5}`, "/instances error.expected.int"},
		{`{"cmd":"x","instances":99999999999}`, "/instances error.expected.int"},
		{`{"cmd":"x","requirePorts":"yes"}`, "/requirePorts error.expected.jsboolean"},
		{`{"cmd":"x","labels":[]}`, "/labels error.expected.jsobject"},
		{`{"cmd":"x","labels":{"a/b":1}}`, `/labels/"a/b" error.expected.jsstring`},
		{`{"cmd":"x","env":{"A":1}}`, "/env/A error.expected.jsstring"},
		{`{"cmd":"x","constraints":["a"]}`, "/constraints(0) error.expected.jsarray"},
		{`{"cmd":"x","constraints":[["hostname","GROUP_BY",3]]}`, "/constraints(0)(2) error.expected.jsstring"},
		{`{"cmd":"x","constraints":[["hostname"]]}`, "/constraints(0) error.minItems"},
		{`{"cmd":"x","constraints":[["hostname","NEAR"]]}`, `/constraints(0) operator "NEAR"`},
		{`{"cmd":"x","constraints":[["hostname","unique"]]}`, `/constraints(0) operator "unique"`},
		{`{"cmd":"x","constraints":[["hostname","UNIQUE","a"]]}`, "/constraints(0) UNIQUE does not accept"},
		{`{"cmd":"x","constraints":[["rack","GROUP_BY","two"]]}`, "/constraints(0) GROUP_BY accepts an integer"},
		{`{"cmd":"x","constraints":[["rack","MAX_PER"]]}`, "/constraints(0) MAX_PER requires an integer"},
		{`{"cmd":"x","constraints":[["rack","LIKE","["]]}`, "/constraints(0)"},
		{`{"cmd":"x","constraints":[["rack","UNLIKE"]]}`, "/constraints(0) UNLIKE requires"},
		{`{"cmd":"x","constraints":[["rack","IS","a b"]]}`, "/constraints(0) IS requires"},
		{`{"cmd":"x","killSelection":"x"}`, "/killSelection error.unknown.enum.literal: KillSelection (YOUNGEST_FIRST, OLDEST_FIRST)"},
		{`{"cmd":"x","args":["y"]}`, "/ AppDefinition must either contain one of"},
		{`{}`, "/ AppDefinition must either contain one of"},
		{`{"cmd":"x","backoffFactor":0.5}`, "/backoffFactor error.min"},
		{`{"cmd":"x","acceptedResourceRoles":[]}`, "/acceptedResourceRoles must not be empty"},
		{`{"cmd":"x","acceptedResourceRoles":["a"]}`, "/acceptedResourceRoles accepted resource roles must be"},
		{`{"cmd":"x","unreachableStrategy":{"inactiveAfterSeconds":2,"expungeAfterSeconds":1}}`, "/unreachableStrategy inactiveAfterSeconds 2"},
		{`{"cmd":"x","portDefinitions":[{"port":70000}]}`, "/portDefinitions(0)/port got 70000"},
		{`{"cmd":"x","portDefinitions":[{"port":1},{"port":1}]}`, "/portDefinitions Ports must be unique."},
		{`{"cmd":"x","portDefinitions":[{"name":"a"},{"name":"a"}]}`, "/portDefinitions(1)/name Port names must be unique."},
		{`{"cmd":"x","portDefinitions":[{"name":"A"}]}`, "/portDefinitions(0)/name error.pattern"},
		{`{"cmd":"x","healthChecks":[{"portIndex":3}]}`, "/healthChecks(0)/portIndex Health check port indices"},
		{`{"cmd":"x","healthChecks":[{"protocol":"COMMAND"}]}`, "/healthChecks(0)/command a command is required"},
		{`{"cmd":"x","healthChecks":[{"protocol":"MESOS_TCP"},{"protocol":"MESOS_HTTP"}]}`, "/healthChecks AppDefinition can contain at most one"},
		{`{"cmd":"x","resourceLimits":{"cpus":0.5}}`, "/resourceLimits/cpus the limit 0.5"},
		{`{"cmd":"x","resourceLimits":{"mem":"much"}}`, "/resourceLimits/mem error.expected.jsnumber"},
		{`{"cmd":"x","labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"},"instances":2}`, "/instances an app with the label"},
		{`{"cmd":"x","labels":{"DCOS_MIGRATION_API_VERSION":"v2"}}`, "/labels DCOS_MIGRATION_API_VERSION must be v1"},
		{`{"cmd":"x","dependencies":["/a_b"]}`, "/dependencies(0)"},
		{`{"cmd":"x","networks":[{"mode":"host"},{"mode":"container/bridge"}]}`, "/networks networks of different modes"},
		{`{"cmd":"x","networks":[{"mode":"host","name":"a"}]}`, "/networks(0)/name only container networks"},
		{`{"cmd":"x","cpus":1e300}`, "/cpus got 1e+300, expected at most"},
		{`{"cmd":"x","executor":"/bin/own"}`, "/executor is not supported by this version of Souk: "},
		{`{"cmd":"x","tty":true}`, "/tty is not supported by this version of Souk: "},
		{`{"cmd":"x","executorResources":{}}`, "/executorResources is not supported by this version of Souk: "},
	} {
		got := violations(t, tt.body)
		if !slices.ContainsFunc(got, func(v string) bool { return strings.HasPrefix(v, tt.want) }) {
			t.Errorf("New(%s): %q, want %q", tt.body, got, tt.want)
		}
	}
}

func TestIDs(t *testing.T) {
	for _, tt := range []struct{ id, want string }{
		{"web", "/web"}, {"/web", "/web"}, {"//dev//web/", "/dev/web"}, {"/dev/../web", "/web"}, {"a.b-c/d", "/a.b-c/d"},
		{"/", ""}, {"", ""}, {"/Web", ""}, {"/a_b", ""}, {"/-a", ""}, {"/a-", ""}, {"/a..b", ""}, {"/tasks", ""}, {"/a/versions", ""}, {"/a/restart", ""},
		{"/" + strings.Repeat("a", 300), ""},
	} {
		got, err := spec.Object{"id": tt.id}.ID("/")
		if tt.want == "" && err == nil || tt.want != "" && got != tt.want {
			t.Errorf("ID(%q) = %q, %v, want %q", tt.id, got, err, tt.want)
		}
	}
	if got := spec.CanonicalID("/dev/api", "../db"); got != "/dev/db" {
		t.Errorf("CanonicalID = %q, want /dev/db", got)
	}
	if got := spec.TaskName("/product/db"); got != "db.product" {
		t.Errorf("TaskName = %q, want db.product", got)
	}
}

func TestMerge(t *testing.T) {
	stored := build(t, `{"cmd":"a","env":{"A":"1"},"labels":{"l":"1"},"ports":[1,2],"resourceLimits":{"cpus":2}}`)
	for _, tt := range []struct{ name, update, want string }{
		{"nothing", `{}`, `{"cmd":"a","env":{"A":"1"},"labels":{"l":"1"},"ports":[1,2]}`},
		{"whole members", `{"env":{"B":"2"}}`, `{"cmd":"a","env":{"B":"2"},"labels":{"l":"1"},"ports":[1,2]}`},
		{"null stays", `{"env":null,"cmd":null}`, `{"cmd":"a","env":{"A":"1"},"labels":{"l":"1"},"ports":[1,2]}`},
		{"args for cmd", `{"args":["b"]}`, `{"args":["b"],"env":{"A":"1"},"labels":{"l":"1"},"ports":[1,2]}`},
		{"no args", `{"args":[]}`, `{"cmd":"a","env":{"A":"1"},"labels":{"l":"1"},"ports":[1,2]}`},
		{"old ports", `{"ports":[3]}`, `{"cmd":"a","env":{"A":"1"},"labels":{"l":"1"},"ports":[3]}`},
		{"limits", `{"resourceLimits":{"mem":"unlimited"}}`, `{"cmd":"a","env":{"A":"1"},"labels":{"l":"1"},"ports":[1,2],"resourceLimits":{"mem":"unlimited"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := spec.New(rules(), "/x", spec.Merge(stored, object(t, tt.update)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(build(t, tt.want).JSON()), string(got.JSON())); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryConfigMemberCounts: whatever changes but the count is a change of
// the configuration.
func TestEveryConfigMemberCounts(t *testing.T) {
	a := build(t, `{"cmd":"a"}`)
	for _, change := range []string{
		`"cmd":"b"`, `"user":"u"`, `"env":{"A":"1"}`, `"cpus":2`, `"mem":2`, `"disk":2`, `"constraints":[["hostname","UNIQUE"]]`, `"ports":[1]`,
		`"requirePorts":true`, `"backoffSeconds":2`, `"backoffFactor":2`, `"maxLaunchDelaySeconds":2`, `"healthChecks":[{}]`,
		`"taskKillGracePeriodSeconds":1`, `"dependencies":["/a"]`, `"upgradeStrategy":{"minimumHealthCapacity":0}`, `"labels":{"a":"b"}`,
		`"acceptedResourceRoles":["*"]`, `"unreachableStrategy":"disabled"`, `"killSelection":"OLDEST_FIRST"`, `"container":{"type":"MESOS"}`,
	} {
		if spec.SameConfig(a, build(t, `{"cmd":"a",`+change+`}`)) {
			t.Errorf("%s makes no difference", change)
		}
	}
	if !spec.SameConfig(a, build(t, `{"cmd":"a","instances":7}`)) {
		t.Error("the instance count is a change of configuration")
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{"", " ", "{", "{} {}", "nul", strings.Repeat("[", 200) + strings.Repeat("]", 200), `{"a":` + strings.Repeat("{\"a\":", 100) + "1" + strings.Repeat("}", 101)} {
		var malformed *spec.Malformed
		if _, err := spec.Decode([]byte(text)); !errors.As(err, &malformed) {
			t.Errorf("Decode(%.20q) = %v, want *Malformed", text, err)
		}
	}
}

// FuzzApp: whatever is accepted is answered in a form that is accepted again
// and means the same, and whatever is stored can be loaded.
func FuzzApp(f *testing.F) {
	for _, seed := range []string{
		`{"id":"/a","cmd":"x"}`, `{"args":["a"],"ports":[0,1],"uris":["a.tgz"],"env":{"A":{"secret":"b"}}}`,
		`{"cmd":"x","constraints":[["hostname","LIKE","a.*"]],"unreachableStrategy":"disabled","resourceLimits":{"cpus":"unlimited"}}`,
		`{"cmd":"x","container":{"type":"MESOS","volumes":[]},"healthChecks":[{"protocol":"TCP","port":3}],"networks":[{"mode":"host"}]}`,
		`{"container":{"docker":{"image":"a","network":"BRIDGE","portMappings":[{"containerPort":1}]}},"ipAddress":{"discovery":{"ports":[]}}}`,
		`{"cmd":"x","upgradeStrategy":{"minimumHealthCapacity":0.1},"backoffFactor":1e2,"taskKillGracePeriodSeconds":0,"tty":false}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		obj, err := spec.Decode(body)
		if err != nil {
			return
		}
		a, err := spec.New(rules(), "/x", obj)
		if err != nil {
			return
		}
		again, err := spec.Decode(a.JSON())
		if err != nil {
			t.Fatalf("answer %s: %v", a.JSON(), err)
		}
		b, err := spec.New(rules(), "/x", again)
		if err != nil {
			t.Fatalf("answer %s is refused: %v", a.JSON(), err)
		}
		if string(a.JSON()) != string(b.JSON()) {
			t.Fatalf("answer %s becomes %s", a.JSON(), b.JSON())
		}
		loaded, err := spec.Load(a.At(5, spec.VersionInfo{LastScalingAt: 3, LastConfigChangeAt: 4}).JSON())
		if err != nil {
			t.Fatalf("stored %s: %v", a.JSON(), err)
		}
		if loaded.Version != 5 || !spec.SameConfig(a, loaded) {
			t.Fatalf("stored %s is loaded as %s", a.JSON(), loaded.JSON())
		}
	})
}
