package chronos

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/zookeeper"
)

// defaultPath is Chronos' own.
const defaultPath = "/chronos/state"

// placeFlags say where in ZooKeeper: as a whole, or in Chronos' parts.
type placeFlags struct{ zk, hosts, path, auth string }

// sharedFlags are about several schedulers, of which one leads.
func (c *Config) sharedFlags(f *daemon.FlagSet, place *placeFlags) {
	f.String(&place.zk, "zk", "Where schedulers elect their leader, and the leader keeps the jobs: zk://[user:password@]host1:2181,host2:2181/path; default: one scheduler")
	f.String(&place.hosts, "zk_hosts", "The same in parts, as Chronos has them: host1:2181,host2:2181")
	f.String(&place.path, "zk_path", "Path that goes with --zk_hosts; default: "+defaultPath)
	f.String(&place.auth, "zk_auth", "user:password that goes with --zk_hosts; default: none")
	number(f, &c.ZKTimeout, time.Millisecond, "zk_timeout", "Time in milliseconds after which ZooKeeper lets others lead when this scheduler is silent")
}

// url is the place, nil if there is none.
func (p placeFlags) url() (*zookeeper.URL, error) {
	flag, text := "--zk", p.zk
	switch {
	case p.zk != "" && (p.hosts != "" || p.path != "" || p.auth != ""):
		return nil, errors.New("--zk and --zk_hosts, --zk_path, --zk_auth exclude each other: give one or the other")
	case p.hosts == "" && (p.path != "" || p.auth != ""):
		return nil, errors.New("--zk_hosts is missing: --zk_path and --zk_auth go with it")
	case p.zk == "" && p.hosts == "":
		return nil, nil
	case p.hosts != "":
		flag, text = "--zk_hosts, --zk_path, --zk_auth", p.join()
	}
	u, err := zookeeper.ParseURL(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return &u, nil
}

// join makes the parts one address. Hosts may be an address already, with a
// path that counts unless --zk_path is given.
func (p placeFlags) join() string {
	hosts, path, _ := strings.Cut(strings.TrimPrefix(p.hosts, "zk://"), "/")
	if p.path != "" {
		path = p.path
	}
	if path == "" {
		path = defaultPath
	}
	if p.auth != "" {
		hosts = p.auth + "@" + hosts
	}
	return "zk://" + hosts + "/" + strings.TrimPrefix(path, "/")
}
