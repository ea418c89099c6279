package zkleader

import (
	"context"
	"errors"
	"fmt"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/zookeeper"
)

// Line returns who contends at this moment, the leader first. One whose node
// cannot be read as a leader has the node's name as its id.
func Line(ctx context.Context, cfg Config) ([]leader.Leader, error) {
	cfg = cfg.complete()
	client := zookeeper.NewClient(cfg.session(false))
	defer client.Close()
	var found []leader.Leader
	err := again(ctx, func() (err error) {
		found, err = line(ctx, client, cfg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for contenders at %s: %w", cfg.URL, err)
	}
	return found, nil
}

func line(ctx context.Context, client *zookeeper.Client, cfg Config) (found []leader.Leader, err error) {
	s, err := client.Session(ctx)
	if err != nil {
		return nil, err
	}
	path := cfg.URL.Path
	names, err := s.Children(ctx, path)
	if errors.Is(err, zookeeper.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range cfg.candidates(names) {
		n, err := s.Get(ctx, path+"/"+name)
		if errors.Is(err, zookeeper.ErrNotFound) { // it has just gone
			continue
		}
		if err != nil {
			return nil, err
		}
		l, err := cfg.Format.Decode(n.Data)
		if err != nil {
			l = leader.Leader{ID: name}
		}
		found = append(found, l)
	}
	return found, nil
}
