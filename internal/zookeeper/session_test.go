package zookeeper_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// patience is how long a test waits for something that should happen soon.
const patience = 30 * time.Second

var shared zookeepertest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Close()
	os.Exit(code)
}

func parse(t *testing.T, text string) zookeeper.URL {
	t.Helper()
	u, err := zookeeper.ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func open(t *testing.T, cfg zookeeper.Config) *zookeeper.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := zookeeper.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// within bounds the operations of a test.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func awaitLost(t *testing.T, s *zookeeper.Session, within time.Duration) {
	t.Helper()
	select {
	case <-s.Lost():
	case <-time.After(within):
		t.Fatalf("session is not lost after %v", within)
	}
	if err := s.Err(); !errors.Is(err, zookeeper.ErrSessionLost) {
		t.Errorf("Err = %v, want ErrSessionLost", err)
	}
}

func TestOperations(t *testing.T) {
	u := parse(t, shared.Get(t).URL(t)).Below("deep", "path")
	s, ctx := open(t, zookeeper.Config{URL: u}), within(t)
	check(t, s.CreatePath(ctx, u.Path, zookeeper.Mode{}))
	check(t, s.CreatePath(ctx, u.Path, zookeeper.Mode{}))
	names, changed, err := s.WatchChildren(ctx, u.Path)
	if err != nil || len(names) != 0 {
		t.Fatalf("WatchChildren = %v, %v", names, err)
	}
	member := must(s.Create(ctx, u.Path+"/m_", []byte("me"), zookeeper.Mode{Ephemeral: true, Sequence: true}))(t)
	if got := zookeeper.Name(member); got != "m_0000000000" {
		t.Errorf("first of a sequence = %q", got)
	}
	select {
	case <-changed:
	case <-ctx.Done():
		t.Fatal("watch did not fire")
	}
	n := must(s.Get(ctx, member))(t)
	if diff := cmp.Diff(zookeeper.Node{Data: []byte("me"), Owner: s.ID()}, n); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
	if v := must(s.Set(ctx, member, []byte("you"), n.Version))(t); v != n.Version+1 {
		t.Errorf("version after a write = %d", v)
	}
	for name, c := range map[string]struct {
		err, want error
	}{
		"stale write":     {second(s.Set(ctx, member, nil, n.Version)), zookeeper.ErrVersion},
		"stale deletion":  {s.Delete(ctx, member, n.Version), zookeeper.ErrVersion},
		"absent node":     {second(s.Get(ctx, u.Path+"/none")), zookeeper.ErrNotFound},
		"second creation": {second(s.Create(ctx, u.Path, nil, zookeeper.Mode{})), zookeeper.ErrExists},
		"full node":       {s.Delete(ctx, u.Path, zookeeper.AnyVersion), zookeeper.ErrNotEmpty},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
	s.Close()
	if _, err := s.Get(ctx, member); !errors.Is(err, zookeeper.ErrSessionLost) {
		t.Errorf("Get after Close = %v, want ErrSessionLost", err)
	}
	other := open(t, zookeeper.Config{URL: u})
	if _, err := other.Get(ctx, member); !errors.Is(err, zookeeper.ErrNotFound) {
		t.Errorf("ephemeral node after Close: %v, want ErrNotFound", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestMultiDoesAllOrNothing(t *testing.T) {
	u := parse(t, shared.Get(t).URL(t))
	s, ctx := open(t, zookeeper.Config{URL: u}), within(t)
	check(t, s.CreatePath(ctx, u.Path, zookeeper.Mode{}))
	a, b := u.Path+"/a", u.Path+"/b"
	big := bytes.Repeat([]byte{'x'}, zookeeper.MaxBytes-4096)
	check(t, s.Multi(ctx,
		zookeeper.Op{Kind: zookeeper.OpCreate, Path: a, Data: big},
		zookeeper.Op{Kind: zookeeper.OpCreate, Path: b, Data: []byte("1")}))
	for name, c := range map[string]struct {
		op   zookeeper.Op
		want error
	}{
		"version": {zookeeper.Op{Kind: zookeeper.OpCheck, Path: b, Version: 7}, zookeeper.ErrVersion},
		"exists":  {zookeeper.Op{Kind: zookeeper.OpCreate, Path: b}, zookeeper.ErrExists},
		"absent":  {zookeeper.Op{Kind: zookeeper.OpDelete, Path: b + "x", Version: zookeeper.AnyVersion}, zookeeper.ErrNotFound},
	} {
		err := s.Multi(ctx, zookeeper.Op{Kind: zookeeper.OpSet, Path: a, Data: []byte("2"), Version: zookeeper.AnyVersion}, c.op,
			zookeeper.Op{Kind: zookeeper.OpDelete, Path: b, Version: zookeeper.AnyVersion})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: Multi = %v, want %v", name, err, c.want)
		}
	}
	if n := must(s.Get(ctx, a))(t); len(n.Data) != len(big) || n.Version != 0 {
		t.Errorf("node holds %d bytes at version %d after refused groups", len(n.Data), n.Version)
	}
}

func TestCredentials(t *testing.T) {
	e := shared.Get(t)
	plain := parse(t, e.URL(t))
	mine := plain
	mine.User, mine.Password = "souk", "secret"
	s, ctx := open(t, zookeeper.Config{URL: mine}), within(t)
	check(t, s.CreatePath(ctx, plain.Path, zookeeper.Mode{}))
	check(t, second(s.Create(ctx, plain.Path+"/open", nil, zookeeper.Mode{})))
	check(t, second(s.Create(ctx, plain.Path+"/shut", nil, zookeeper.Mode{Private: true})))

	stranger := open(t, zookeeper.Config{URL: plain})
	check(t, second(stranger.Get(ctx, plain.Path+"/open")))
	for name, err := range map[string]error{
		"create":       second(stranger.Create(ctx, plain.Path+"/x", nil, zookeeper.Mode{})),
		"create path":  stranger.CreatePath(ctx, plain.Path+"/x/y", zookeeper.Mode{}),
		"write":        second(stranger.Set(ctx, plain.Path+"/open", nil, zookeeper.AnyVersion)),
		"read private": second(stranger.Get(ctx, plain.Path+"/shut")),
		"multi":        stranger.Multi(ctx, zookeeper.Op{Kind: zookeeper.OpSet, Path: plain.Path + "/open", Version: zookeeper.AnyVersion}),
	} {
		if !errors.Is(err, zookeeper.ErrDenied) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s by a stranger: %v, want ErrDenied in one line", name, err)
		}
	}
}

// TestExpiredSession: a second connection that takes the session over and
// closes it ends it, as an expiry would.
func TestExpiredSession(t *testing.T) {
	e := shared.Get(t)
	for _, lease := range []bool{false, true} {
		p := e.NewProxy(t, 0)
		s := open(t, zookeeper.Config{URL: parse(t, "zk://"+p.Address()+"/x"), Timeout: 2 * time.Second, Lease: lease})
		if got := s.Timeout(); got != 2*time.Second {
			t.Errorf("granted timeout = %v", got)
		}
		p.Expire(t)
		awaitLost(t, s, 10*time.Second)
	}
}

// TestMuteServer: a lease ends in time though requests seem to be taken, and
// credentials that were lost with a connection are given again.
func TestMuteServer(t *testing.T) {
	p := shared.Get(t).NewProxy(t, 0)
	u := parse(t, "zk://souk:secret@"+p.Address()+"/mute")
	s, ctx := open(t, zookeeper.Config{URL: u, Timeout: 2 * time.Second}), within(t)
	check(t, s.CreatePath(ctx, u.Path, zookeeper.Mode{Private: true}))
	p.Cut()
	for {
		_, err := s.Get(ctx, u.Path)
		if err == nil {
			break
		}
		if !errors.Is(err, zookeeper.ErrInterrupted) {
			t.Fatalf("Get after a broken connection = %v", err)
		}
	}
	leased := open(t, zookeeper.Config{URL: u, Timeout: 2 * time.Second, Lease: true})
	p.Mute(true)
	began := time.Now()
	awaitLost(t, leased, 2*time.Second)
	if took := time.Since(began); took > 2*time.Second*3/4 {
		t.Errorf("lease ended after %v of silence", took)
	}
	began = time.Now()
	leased.Close()
	s.Close()
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("Close took %v with a mute server", took)
	}
}

// TestOpenBeginsAgain: a session that nobody confirms, because the ensemble has
// lost its majority or this process slept, is not the last word.
func TestOpenBeginsAgain(t *testing.T) {
	p := shared.Get(t).NewProxy(t, 0)
	p.FailAfter(2) // the session begins, and the first request is not answered
	time.AfterFunc(2500*time.Millisecond, func() { p.FailAfter(-1) })
	s := open(t, zookeeper.Config{URL: parse(t, "zk://"+p.Address()+"/again"), Timeout: 2 * time.Second, Lease: true})
	if s.ID() == 0 {
		t.Error("Open = a session without a number")
	}
}

func TestTimeoutIsTheGrantedOne(t *testing.T) {
	s := open(t, zookeeper.Config{URL: parse(t, shared.Get(t).URL(t)), Timeout: 100 * time.Second})
	if got, want := s.Timeout(), zookeepertest.MaxTimeout; got != want {
		t.Errorf("Timeout = %v, want the server's bound %v", got, want)
	}
}

func TestOpenWaitsAndSaysSo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	core, _ := observer.New(zap.WarnLevel)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = zookeeper.Open(ctx, zookeeper.Config{URL: parse(t, "zk://"+address+"/x"), Log: zap.New(core)})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Open = %v, want the deadline and why", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Open took %v to give up", took)
	}
}

// TestMemberKilled: a session moves to another member, with its ephemeral nodes.
func TestMemberKilled(t *testing.T) {
	e := zookeepertest.Start(t, 3)
	u := parse(t, e.URL(t))
	s, ctx := open(t, zookeeper.Config{URL: u, Timeout: 4 * time.Second, Lease: true}), within(t)
	check(t, s.CreatePath(ctx, u.Path, zookeeper.Mode{}))
	node := must(s.Create(ctx, u.Path+"/m", nil, zookeeper.Mode{Ephemeral: true}))(t)
	for i := range e.Len() {
		e.Kill(i)
		awaitNode(t, s, node)
		e.Restart(i)
		e.Await(i)
		awaitNode(t, s, node)
	}
}

// awaitNode waits until the session can read its ephemeral node.
func awaitNode(t *testing.T, s *zookeeper.Session, path string) {
	t.Helper()
	ctx := within(t)
	for {
		n, err := s.Get(ctx, path)
		switch {
		case err == nil && n.Owner != s.ID():
			t.Fatalf("node belongs to session %d, not %d", n.Owner, s.ID())
		case err == nil:
			return
		case !errors.Is(err, zookeeper.ErrInterrupted):
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // a real server comes back
	}
}

// TestFrozenMember: a member that takes bytes and answers nothing is left in
// time, though its connection stays open.
func TestFrozenMember(t *testing.T) {
	e := zookeepertest.Start(t, 3)
	u := parse(t, e.URL(t))
	ctx := within(t)
	cfg := zookeeper.Config{URL: u, Timeout: 8 * time.Second, Lease: true}
	s := open(t, cfg)
	for s.Server() == e.Server(e.Leader()) { // without its leader an ensemble needs longer
		s = open(t, cfg)
	}
	check(t, s.CreatePath(ctx, u.Path, zookeeper.Mode{}))
	node := must(s.Create(ctx, u.Path+"/m", nil, zookeeper.Mode{Ephemeral: true}))(t)
	frozen := e.Index(s.Server())
	e.Freeze(frozen)
	began := time.Now()
	awaitNode(t, s, node)
	if took := time.Since(began); took > s.Timeout()*2/3 {
		t.Errorf("answer after %v", took)
	}
	time.Sleep(s.Timeout()) // a lease that is not renewed would end
	check(t, s.Err())
	e.Thaw(frozen)
}

// TestEnsembleGone: a lease ends before any server can have ended the session,
// a client without one waits, and both have sessions once the ensemble is back.
func TestEnsembleGone(t *testing.T) {
	e := zookeepertest.Start(t, 3)
	u := parse(t, e.URL(t))
	leased := open(t, zookeeper.Config{URL: u, Timeout: 3 * time.Second, Lease: true})
	client := zookeeper.NewClient(zookeeper.Config{URL: u, Timeout: 3 * time.Second})
	t.Cleanup(client.Close)
	before := must(client.Session(within(t)))(t)
	for i := range e.Len() {
		e.Kill(i)
	}
	gone := time.Now()
	awaitLost(t, leased, 3*time.Second)
	if took := time.Since(gone); took > leased.Timeout()*3/4 {
		t.Errorf("lease ended %v after the ensemble, want less than its timeout %v", took, leased.Timeout())
	}
	if before.Err() != nil {
		t.Errorf("session without a lease: %v, want it to wait", before.Err())
	}
	for i := range e.Len() {
		e.Restart(i)
	}
	ctx := within(t)
	for {
		s := must(client.Session(ctx))(t)
		if err := s.Sync(ctx, "/"); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	open(t, zookeeper.Config{URL: u, Timeout: 3 * time.Second, Lease: true})
}
