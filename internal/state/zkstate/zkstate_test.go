package zkstate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/statetest"
	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

const patience = 60 * time.Second

var shared zookeepertest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Close()
	os.Exit(code)
}

// config is state at a path of the test's own.
func config(t testing.TB) zkstate.Config {
	t.Helper()
	u, err := zookeeper.ParseURL(shared.Get(t).URL(t))
	if err != nil {
		t.Fatal(err)
	}
	return zkstate.Config{URL: u.Below("souk", "test"), Timeout: 2 * time.Second, Owner: "mine", OwnerFlag: "--cluster"}
}

// closing closes a store at the end of a test unless the test did.
type closing struct {
	*zkstate.Store
	once sync.Once
	cfg  zkstate.Config
}

func (c *closing) Close() (err error) {
	c.once.Do(func() { err = c.Store.Close() })
	return err
}

func open(t testing.TB, cfg zkstate.Config) *closing {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := zkstate.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &closing{Store: s, cfg: cfg}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestStore(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Open: func(t *testing.T) state.Store { return open(t, config(t)) },
		Reopen: func(t *testing.T, s state.Store) state.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, s.(*closing).cfg)
		},
	})
}

func set(name, value string, version uint64) state.Op {
	return state.Op{Entry: state.Entry{Name: name, Value: []byte(value), Version: version}}
}

func apply(t testing.TB, s state.Store, ops ...state.Op) []state.Entry {
	t.Helper()
	es, err := s.Apply(t.Context(), ops...)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func value(t testing.TB, s state.Store, name string) string {
	t.Helper()
	e, err := s.Get(t.Context(), name)
	if errors.Is(err, state.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(e.Value)
}

// TestDeposedWriterIsFenced: it cannot write a thing from the moment another
// store was opened, not even an entry that the other has not touched.
func TestDeposedWriterIsFenced(t *testing.T) {
	cfg := config(t)
	old := open(t, cfg)
	version := apply(t, old, set("a", "1", 0))[0].Version
	next := open(t, cfg)
	for _, ops := range [][]state.Op{{set("b", "1", 0)}, {set("a", "2", version)}, large(1)} {
		if _, err := old.Apply(t.Context(), ops...); !errors.Is(err, state.ErrConflict) {
			t.Errorf("Apply of a deposed store = %v, want ErrConflict", err)
		}
	}
	if got := value(t, next, "a") + value(t, next, "b"); got != "1" {
		t.Errorf("state = %q after writes of a deposed store", got)
	}
	apply(t, next, set("b", "1", 0))
}

// large is an Apply that fits no packet, of n parts at least.
func large(n int) (ops []state.Op) {
	for i := range 2 * n {
		ops = append(ops, state.Op{Entry: state.Entry{Name: fmt.Sprint("large/", i), Value: bytes.Repeat([]byte{byte('a' + i)}, 600<<10)}})
	}
	return ops
}

// TestKilledAtAnyWrite: a store whose connection fails for good after some
// request, answered or not, has written all of an Apply or nothing; the next
// store sees which, and goes on.
func TestKilledAtAnyWrite(t *testing.T) {
	var all, nothing atomic.Int64
	t.Run("requests", func(t *testing.T) {
		for after := range 20 {
			t.Run(fmt.Sprint(after), func(t *testing.T) {
				t.Parallel()
				testKilled(t, after, &all, &nothing)
			})
		}
	})
	if !t.Failed() && (all.Load() == 0 || nothing.Load() == 0) {
		t.Errorf("%d times all and %d times nothing: both should occur", all.Load(), nothing.Load())
	}
}

func testKilled(t *testing.T, after int, all, nothing *atomic.Int64) {
	cfg := config(t)
	p := shared.Get(t).NewProxy(t, 0)
	proxied := cfg
	proxied.URL.Servers = []string{p.Address()}
	s := open(t, proxied)
	apply(t, s, set("before", "1", 0))
	p.FailAfter(after)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	_, err := s.Apply(ctx, large(2)...)
	cancel()
	s.Close()
	next := open(t, cfg)
	es, listed := next.List(t.Context(), "large/")
	switch {
	case listed != nil:
		t.Fatal(listed)
	case len(es) == 4:
		all.Add(1)
	case len(es) == 0 && err != nil:
		nothing.Add(1)
	default:
		t.Fatalf("after %d requests: %d of 4 entries, Apply = %v", after, len(es), err)
	}
	if got := value(t, next, "before"); got != "1" {
		t.Errorf("entry written before = %q", got)
	}
	apply(t, next, set("after", "1", 0))
}

// TestLostAnswers: writes whose answers are lost, by connections that break and
// sessions that expire, happen once; what is acknowledged is there.
func TestLostAnswers(t *testing.T) {
	cfg := config(t)
	e := shared.Get(t)
	p := e.NewProxy(t, 0)
	cfg.URL.Servers = []string{p.Address()}
	s := open(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop, harmed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(harmed)
		r := rand.New(rand.NewPCG(1, 2))
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(r.IntN(30)) * time.Millisecond):
			}
			p.Mute(true)
			time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
			p.Cut()
			if i%10 == 9 {
				p.Expire(t)
			}
			p.Mute(false)
		}
	}()
	var wg sync.WaitGroup
	const writers, each = 4, 60
	for w := range writers {
		wg.Go(func() {
			var version uint64
			for i := range each {
				name := fmt.Sprint("w", w)
				es, err := s.Apply(ctx, set(name, fmt.Sprint(i), version), set(fmt.Sprint(name, "/", i), "x", 0))
				if err != nil {
					t.Errorf("writer %d, write %d: %v", w, i, err)
					return
				}
				version = es[0].Version
			}
		})
	}
	wg.Wait()
	close(stop)
	<-harmed
	es, err := s.List(ctx, "")
	if err != nil || len(es) != writers*(each+1) {
		t.Errorf("%d entries, %v, want %d", len(es), err, writers*(each+1))
	}
	for w := range writers {
		if got := value(t, s, fmt.Sprint("w", w)); got != fmt.Sprint(each-1) {
			t.Errorf("writer %d left %q", w, got)
		}
	}
}

// TestStateOfNobodyBecomesOnesOwn: the first owner with a name keeps others out.
func TestStateOfNobodyBecomesOnesOwn(t *testing.T) {
	nobody := config(t)
	nobody.Owner = ""
	if err := zkstate.Fill(t.Context(), nobody, []state.Entry{{Name: "a", Value: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	mine, other := nobody, nobody
	mine.Owner, other.Owner = "mine", "other"
	if got := value(t, open(t, nobody), "a") + value(t, open(t, mine), "a") + value(t, open(t, nobody), "a"); got != "111" {
		t.Errorf("a = %q", got)
	}
	if _, err := zkstate.Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), `belongs to "mine", not to "other"`) {
		t.Errorf("Open by another owner = %v, want it refused", err)
	}
}

func TestClearLines(t *testing.T) {
	cases := []struct {
		name  string
		harm  func(t *testing.T, z *zookeeper.Session, cfg *zkstate.Config)
		wants []string
	}{
		{"state of another cluster", func(_ *testing.T, _ *zookeeper.Session, cfg *zkstate.Config) { cfg.Owner = "other" },
			[]string{`belongs to "mine", not to "other"`, "--cluster=mine"}},
		{"newer version", func(t *testing.T, z *zookeeper.Session, cfg *zkstate.Config) {
			write(t, z, cfg.URL.Path, `{"format":2,"owner":"mine"}`)
		}, []string{"has format 2", "newer build"}},
		{"path of something else", func(t *testing.T, z *zookeeper.Session, cfg *zkstate.Config) {
			write(t, z, cfg.URL.Path, "kafka")
		}, []string{"souk did not write"}},
		{"garbage in the commit", func(t *testing.T, z *zookeeper.Session, cfg *zkstate.Config) {
			write(t, z, cfg.URL.Path+"/commit", "\x00garbage")
		}, []string{"/commit is damaged"}},
		{"garbage in an entry", func(t *testing.T, z *zookeeper.Session, cfg *zkstate.Config) {
			write(t, z, cfg.URL.Path+"/entries/"+entryOf(t, z, cfg.URL.Path), "garbage")
		}, []string{"is damaged", "/entries/"}},
		{"torn entry", func(t *testing.T, z *zookeeper.Session, cfg *zkstate.Config) {
			path := cfg.URL.Path + "/entries/" + entryOf(t, z, cfg.URL.Path)
			n, err := z.Get(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, z, path, string(n.Data[:len(n.Data)-1]))
		}, []string{"is damaged", "/entries/"}},
		{"an entry that is none", func(t *testing.T, z *zookeeper.Session, cfg *zkstate.Config) {
			if _, err := z.Create(t.Context(), cfg.URL.Path+"/entries/00/x%2", nil, zookeeper.Mode{}); err != nil {
				t.Fatal(err)
			}
		}, []string{"x%2", "souk did not write it"}},
		{"no permission", func(_ *testing.T, _ *zookeeper.Session, cfg *zkstate.Config) { cfg.URL.User = "" },
			[]string{"permission denied", "zk://user:password@"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			cfg.URL.User, cfg.URL.Password = "souk", "secret"
			s := open(t, cfg)
			apply(t, s, set("a/b", "1", 0))
			s.Close()
			z, err := zookeeper.Open(t.Context(), zookeeper.Config{URL: cfg.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			c.harm(t, z, &cfg)
			if err = opens(t, cfg); err == nil {
				t.Fatal("the state was opened and listed, want an error")
			}
			for _, want := range append(c.wants, cfg.URL.Path) {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error = %q, want one line with %q", err, want)
				}
			}
		})
	}
}

// opens opens the state, lists it and returns what is wrong with it.
func opens(t *testing.T, cfg zkstate.Config) error {
	s, err := zkstate.Open(t.Context(), cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.List(t.Context(), "")
	return err
}

func write(t *testing.T, z *zookeeper.Session, path, data string) {
	t.Helper()
	if _, err := z.Set(t.Context(), path, []byte(data), zookeeper.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

// entryOf finds the one entry, as bucket/name.
func entryOf(t *testing.T, z *zookeeper.Session, root string) string {
	t.Helper()
	for b := range 64 {
		bucket := fmt.Sprintf("%02x", b)
		names, err := z.Children(t.Context(), root+"/entries/"+bucket)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) > 0 {
			return bucket + "/" + names[0]
		}
	}
	t.Fatal("there is no entry")
	return ""
}

// TestReadBesideAWriter: what is read is what was there at one moment.
func TestReadBesideAWriter(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	versions := []uint64{0, 0}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(150 * time.Millisecond):
			}
			es, err := s.Apply(t.Context(), set("a", fmt.Sprint(i), versions[0]), set("b", fmt.Sprint(i), versions[1]))
			if err != nil {
				t.Error(err)
				return
			}
			versions = []uint64{es[0].Version, es[1].Version}
		}
	})
	for range 5 {
		es, err := zkstate.Read(t.Context(), cfg, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(es) == 2 && string(es[0].Value) != string(es[1].Value) {
			t.Errorf("a = %s, b = %s: not of one moment", es[0].Value, es[1].Value)
		}
	}
	close(stop)
	wg.Wait()
	if err := zkstate.Check(t.Context(), cfg); err != nil {
		t.Errorf("Check = %v", err)
	}
}
