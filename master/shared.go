package master

import (
	"context"
	"sync"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/static"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
)

// RegistryFile is the name of the registry's file in the work directory.
const RegistryFile = "registry.db"

// ElectionURL is where below --zk masters elect their leader: there, as in Mesos.
func ElectionURL(zk zookeeper.URL) zookeeper.URL { return zk }

// RegistryURL is where below --zk the registry is kept.
func RegistryURL(zk zookeeper.URL) zookeeper.URL { return zk.Below("souk", "registry") }

// election returns how the leader is found: as configured, in ZooKeeper, or not
// at all because this is the only master. A registry in ZooKeeper that this
// master could not lead with is told now, before others rely on it.
func (m *master) election(ctx context.Context, me leader.Leader) (leader.Contender, leader.Detector, func(), error) {
	switch {
	case m.cfg.Contender != nil:
		return m.cfg.Contender, m.cfg.Detector, func() {}, nil
	case m.cfg.ZK == nil:
		lead := static.New(me)
		return lead, lead, func() {}, nil
	}
	if err := zkstate.Check(ctx, m.cfg.registryConfig()); err != nil {
		return nil, nil, nil, err
	}
	cfg := zkleader.Config{URL: ElectionURL(*m.cfg.ZK), Timeout: m.cfg.ZKTimeout, Format: zkleader.Masters(), Log: m.cfg.Log.Named("election")}
	d := zkleader.NewDetector(cfg)
	return zkleader.NewContender(cfg, me), d, d.Close, nil
}

func (c Config) registryConfig() zkstate.Config {
	return zkstate.Config{
		URL: RegistryURL(*c.ZK), Timeout: c.ZKTimeout, Owner: c.Cluster, OwnerFlag: "--cluster", Log: c.Log.Named("registry"),
	}
}

// sharedStore is the registry in ZooKeeper. Opening it takes it over from the
// former leader, so that is left to when it is first asked: after the election.
func (c Config) sharedStore() *lateStore {
	return &lateStore{open: func(ctx context.Context) (state.Store, error) { return zkstate.Open(ctx, c.registryConfig()) }}
}

// A lateStore is a store that is opened when it is first used.
type lateStore struct {
	open func(context.Context) (state.Store, error)

	mu    sync.Mutex
	store state.Store // nil until then
}

var _ state.Store = (*lateStore)(nil)

func (s *lateStore) opened(ctx context.Context) (state.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		store, err := s.open(ctx)
		if err != nil {
			return nil, err
		}
		s.store = store
	}
	return s.store, nil
}

// Get implements state.Store.
func (s *lateStore) Get(ctx context.Context, name string) (state.Entry, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return state.Entry{}, err
	}
	return store.Get(ctx, name)
}

// List implements state.Store.
func (s *lateStore) List(ctx context.Context, prefix string) ([]state.Entry, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	return store.List(ctx, prefix)
}

// Apply implements state.Store.
func (s *lateStore) Apply(ctx context.Context, ops ...state.Op) ([]state.Entry, error) {
	store, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	return store.Apply(ctx, ops...)
}

// Close implements state.Store.
func (s *lateStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}
