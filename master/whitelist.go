package master

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/master/core"
)

// Mesos reads the file again that often; a list of hosts is not longer than that.
const (
	whitelistInterval = 5 * time.Second
	maxWhitelist      = 16 << 20
)

// listsHosts reports whether the flag names a file.
func listsHosts(flag string) bool { return flag != "" && flag != "*" }

// readWhitelist reads host names, one a line.
func readWhitelist(path string) (core.Whitelist, error) {
	if !listsHosts(path) {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("flag --whitelist: %w: name a file with a host name on each line, or * for all agents", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxWhitelist+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("flag --whitelist: %w", err)
	case len(text) > maxWhitelist:
		return nil, fmt.Errorf("flag --whitelist: %s has more than %d bytes: is it a list of hosts?", path, maxWhitelist)
	}
	hosts := core.Whitelist{} // not nil: an empty file lists nobody
	for _, host := range strings.Fields(string(text)) {
		if host == "*" {
			return nil, nil
		}
		hosts[host] = true
	}
	return hosts, nil
}

// followWhitelist reads the file again and again. One that cannot be read changes
// nothing.
func (m *master) followWhitelist(ctx context.Context) error {
	ticker := time.NewTicker(whitelistInterval)
	defer ticker.Stop()
	var last string
	for {
		hosts, err := readWhitelist(m.cfg.Whitelist)
		text := fmt.Sprint(hosts == nil, hosts)
		switch {
		case err != nil:
			m.cfg.Log.Warn("whitelist not read, the last one holds", zap.Error(err))
		case text != last:
			last = text
			m.cfg.Log.Info("whitelist read", zap.Int("hosts", len(hosts)))
			if err := m.loop.put(ctx, input{event: core.Whitelisted{Hosts: hosts}}); err != nil {
				return nil // the master ends
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
