package zkleader_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/leadertest"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

const patience = 30 * time.Second

var shared zookeepertest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Close()
	os.Exit(code)
}

// whole keeps everything of a leader, as the suite wants it.
func whole() zkleader.Format {
	return zkleader.Format{
		Label:  "m_",
		Encode: func(l leader.Leader) ([]byte, error) { return json.Marshal(l) },
		Decode: func(data []byte) (l leader.Leader, err error) { return l, json.Unmarshal(data, &l) },
	}
}

func election(t *testing.T, format zkleader.Format, url string) zkleader.Config {
	t.Helper()
	u, err := zookeeper.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return zkleader.Config{URL: u, Timeout: 2 * time.Second, Format: format}
}

func detector(t *testing.T, cfg zkleader.Config) *zkleader.Detector {
	d := zkleader.NewDetector(cfg)
	t.Cleanup(d.Close)
	return d
}

func TestLeadership(t *testing.T) {
	e := shared.Get(t)
	leadertest.Run(t, leadertest.Harness{Open: func(t *testing.T) leadertest.Group {
		cfg := election(t, whole(), e.URL(t))
		return leadertest.Group{
			Join:     func(l leader.Leader) leader.Contender { return zkleader.NewContender(cfg, l) },
			Detector: detector(t, cfg),
		}
	}})
}

func win(t *testing.T, cfg zkleader.Config, me leader.Leader) (lost <-chan struct{}, resign func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	timer := time.AfterFunc(patience, cancel)
	lost, err := zkleader.NewContender(cfg, me).Contend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	timer.Stop()
	return lost, cancel
}

func loses(t *testing.T, lost <-chan struct{}, within time.Duration) {
	t.Helper()
	select {
	case <-lost:
	case <-time.After(within):
		t.Fatalf("leadership was not lost within %v", within)
	}
}

func detect(t *testing.T, d leader.Detector, previous leader.Leader) leader.Leader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := d.Detect(ctx, previous)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const masterJSON = `{"address":{"hostname":"m1","ip":"10.0.0.1","port":5050},"hostname":"m1","id":"one","ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,"version":"1.11.0"}`

func TestMastersLookLikeThoseOfMesos(t *testing.T) {
	cfg := election(t, zkleader.Masters(), shared.Get(t).URL(t))
	me := leader.Leader{ID: "one", Address: "10.0.0.1:5050", Info: []byte(masterJSON)}
	_, resign := win(t, cfg, me)
	s, err := zookeeper.Open(t.Context(), zookeeper.Config{URL: cfg.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, err := s.Get(t.Context(), cfg.URL.Path+"/json.info_0000000000")
	if err != nil || string(n.Data) != masterJSON || n.Owner == 0 {
		t.Errorf("node = %s, owner %d, %v", n.Data, n.Owner, err)
	}
	d := detector(t, cfg)
	if got := detect(t, d, leader.Leader{}); !got.Equal(me) {
		t.Errorf("Detect = %v, want %v", got, me)
	}
	began := time.Now()
	resign()
	if got := detect(t, d, me); !got.None() {
		t.Errorf("Detect after the leader resigned = %v", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("resigning took %v", took)
	}
}

func TestDetectorReadsWhatOthersWrote(t *testing.T) {
	cases := []struct {
		name   string
		format zkleader.Format
		nodes  map[string]string
		want   string // address
	}{
		{"lowest number of the label", zkleader.Masters(), map[string]string{
			"json.info_0000000012": masterJSON, "json.info_0000000007": strings.ReplaceAll(masterJSON, "10.0.0.1", "10.0.0.7"),
			"info_0000000001": "\x0a\x03old", "log_replicas": "",
		}, "10.0.0.7:5050"},
		{"old master without an address", zkleader.Masters(), map[string]string{
			"json.info_0000000003": `{"id":"x","ip":16777343,"port":5051}`,
		}, "127.0.0.1:5051"},
		{"Curator's latch", zkleader.Latches(), map[string]string{
			"_c_0a1b-latch-0000000004": "host4:8080", "latch-0000000005": "host5:8080",
		}, "host4:8080"},
		{"garbage is nobody", zkleader.Masters(), map[string]string{"json.info_0000000003": "garbage"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := election(t, c.format, shared.Get(t).URL(t))
			s, err := zookeeper.Open(t.Context(), zookeeper.Config{URL: cfg.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.CreatePath(t.Context(), cfg.URL.Path, zookeeper.Mode{}); err != nil {
				t.Fatal(err)
			}
			for name, data := range c.nodes {
				if _, err := s.Create(t.Context(), cfg.URL.Path+"/"+name, []byte(data), zookeeper.Mode{}); err != nil {
					t.Fatal(err)
				}
			}
			got := detect(t, detector(t, cfg), leader.Leader{ID: "someone"})
			if got.Address != c.want {
				t.Errorf("Detect = %v, want %q", got, c.want)
			}
		})
	}
}

func TestLostWhen(t *testing.T) {
	cases := []struct {
		name   string
		abrupt bool // nobody can know before
		harm   func(t *testing.T, p *zookeepertest.Proxy, cfg zkleader.Config)
	}{
		{"the session expires", true, func(t *testing.T, p *zookeepertest.Proxy, _ zkleader.Config) { p.Expire(t) }},
		{"no server answers", false, func(_ *testing.T, p *zookeepertest.Proxy, _ zkleader.Config) { p.Mute(true) }},
		{"no server is reached", false, func(_ *testing.T, p *zookeepertest.Proxy, _ zkleader.Config) {
			p.Refuse(true)
			p.Cut()
		}},
		{"somebody deletes the node", true, func(t *testing.T, _ *zookeepertest.Proxy, cfg zkleader.Config) {
			s, err := zookeeper.Open(t.Context(), zookeeper.Config{URL: cfg.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Delete(t.Context(), cfg.URL.Path+"/m_0000000000", zookeeper.AnyVersion); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := shared.Get(t)
			direct := election(t, whole(), e.URL(t))
			p := e.NewProxy(t, 0)
			proxied := direct
			proxied.URL.Servers = []string{p.Address()}
			one, two := leader.Leader{ID: "one", Address: "a:1"}, leader.Leader{ID: "two", Address: "b:2"}
			lost, _ := win(t, proxied, one)
			next := make(chan time.Time, 1)
			go func() {
				if _, err := zkleader.NewContender(direct, two).Contend(t.Context()); err == nil {
					next <- time.Now()
				}
			}()
			time.Sleep(100 * time.Millisecond) // let the second stand in line
			c.harm(t, p, direct)
			loses(t, lost, patience)
			ended := time.Now()
			select {
			case began := <-next:
				if !c.abrupt && began.Before(ended) {
					t.Errorf("the second led %v before the first knew", ended.Sub(began))
				}
			case <-time.After(patience):
				t.Error("the second contender did not win")
			}
		})
	}
}

func TestClearLines(t *testing.T) {
	e := shared.Get(t)
	mine := election(t, whole(), e.URL(t))
	mine.URL.User, mine.URL.Password = "souk", "secret"
	_, resign := win(t, mine, leader.Leader{ID: "one", Address: "a:1"})
	defer resign()
	stranger := mine
	stranger.URL.User = ""
	_, err := zkleader.NewContender(stranger, leader.Leader{ID: "two"}).Contend(t.Context())
	if !errors.Is(err, zookeeper.ErrDenied) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), mine.URL.Path) {
		t.Errorf("contending without permission: %v, want one line with the path", err)
	}
	core, logs := observer.New(zap.WarnLevel)
	wrong := election(t, whole(), e.URL(t)+"wrong")
	wrong.Log = zap.New(core)
	if got := detect(t, detector(t, wrong), leader.Leader{ID: "x"}); !got.None() {
		t.Errorf("leader at a path that does not exist = %v", got)
	}
	time.Sleep(50 * time.Millisecond) // the line comes after the answer
	if logs.FilterMessageSnippet("is the path right").Len() != 1 {
		t.Errorf("log = %v, want one line about the path", logs.All())
	}
}
