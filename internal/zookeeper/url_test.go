package zookeeper

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	cases := []struct {
		name, text string
		want       URL
	}{
		{"three servers", "zk://a:1,b:2,10.0.0.3:3/mesos", URL{Servers: []string{"a:1", "b:2", "10.0.0.3:3"}, Path: "/mesos"}},
		{"port left out", "zk://a,b:2182/mesos", URL{Servers: []string{"a:2181", "b:2182"}, Path: "/mesos"}},
		{"IPv6", "zk://[::1]:2181,[fe80::1]/m", URL{Servers: []string{"[::1]:2181", "[fe80::1]:2181"}, Path: "/m"}},
		{"credentials", "zk://me:p@ss:w@a:1/deep/path/", URL{Servers: []string{"a:1"}, Path: "/deep/path", User: "me", Password: "p@ss:w"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseURL(c.text)
			if err != nil {
				t.Fatalf("ParseURL(%q) = %v", c.text, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("ParseURL(%q) (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func TestParseURLRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "does not begin with zk://",
		"10.0.0.1:5050":            "does not begin with zk://",
		"zk://a:1":                 "no path",
		"zk://a:1/":                "no path",
		"zk:///mesos":              "not host:port",
		"zk://a:1,,b:2/mesos":      "not host:port",
		"zk://a:0/mesos":           "not host:port",
		"zk://a:99999/mesos":       "not host:port",
		"zk://a:x/mesos":           "not host:port",
		"zk://secret@a:1/mesos":    "not user:password",
		"zk://:secret@a:1/mesos":   "not user:password",
		"zk://a:1/mesos//x":        "cannot be used",
		"zk://a:1/zookeeper":       "cannot be used",
		"zk://a:1/../x":            "cannot be used",
		"zk://a:1/x\x00y":          "cannot be used",
		"zk://a:1/" + long(maxURL): "longer than",
	} {
		_, err := ParseURL(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("ParseURL(%.40q) = %v, want an error with %q and no secret", text, err, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestURLIsLoggedWithoutCredentials(t *testing.T) {
	u, err := ParseURL("zk://me:secret@a:1,b:2/mesos")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.Below("souk", "x").String(), "zk://a:1,b:2/mesos/souk/x"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}

// FuzzParseURL: what is accepted names servers and a path, and reads back the same.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"zk://a:1,b:2/mesos", "zk://u:p@a/x/y", "zk://[::1]:2181/m", "zk://a:1", "file:///etc/zk"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURL(text)
		if err != nil {
			return
		}
		if len(u.Servers) == 0 || !strings.HasPrefix(u.Path, "/") || strings.HasSuffix(u.Path, "/") {
			t.Fatalf("ParseURL(%q) = %+v", text, u)
		}
		again, err := ParseURL(u.String())
		if err != nil {
			t.Fatalf("ParseURL(%q) = %v, of what ParseURL(%q) made", u.String(), err, text)
		}
		u.User, u.Password = "", ""
		if diff := cmp.Diff(u, again); diff != "" {
			t.Fatalf("not read back the same (-first +again):\n%s", diff)
		}
	})
}
