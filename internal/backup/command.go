package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/archive"
	"github.com/soukproject/souk/internal/zookeeper"
)

// none is the place of a service that is left out.
const none = "none"

// A command is one of export and import, as its flags say.
type command struct {
	verb     string
	services []Service
	file     string
	folder   string            // of `souk local`
	places   map[string]string // by service, as given
	cluster  string
	timeout  time.Duration
}

// Usage is the help text of `souk state`.
func Usage(services []Service) string {
	return "Usage: souk state export|import [flags]\n\n" +
		"Takes the state of a cluster out of its stores into a file, or puts it from there into stores that are empty.\n\n" +
		newCommand("export", services).flags().Usage() + "\n" + newCommand("import", services).flags().Usage()
}

// Run is `souk state`. It may return daemon.ErrHelp: Usage is to be printed then.
func Run(ctx context.Context, services []Service, args, environ []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
		return daemon.ErrHelp
	}
	c := newCommand(args[0], services)
	do := c.export
	switch c.verb {
	case "export":
	case "import":
		do = c.restore
	default:
		return fmt.Errorf("there is no 'souk state %s': write export or import", c.verb)
	}
	err := c.flags().Parse(args[1:], environ)
	if errors.Is(err, daemon.ErrHelp) {
		_, err = io.WriteString(out, c.flags().Usage())
		return err
	}
	if err != nil {
		return err
	}
	places, err := c.where()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := do(ctx, places, out); err != nil {
		return fmt.Errorf("state %s: %w", c.verb, err)
	}
	return nil
}

func newCommand(verb string, services []Service) *command {
	return &command{verb: verb, services: services, places: map[string]string{}, timeout: 5 * time.Minute}
}

func (c *command) flags() *daemon.FlagSet {
	f := daemon.NewFlags("souk state " + c.verb)
	f.Path(&c.file, "file", "The file with the state")
	f.Require("file", "write --file=cluster.state")
	f.Path(&c.folder, "work_dir", "Work directory of 'souk local': a folder of each service in it, named like it")
	for _, s := range c.services {
		f.Func(s.Name, "", "Where 'souk "+s.Name+"' keeps its state: its --work_dir, or its --zk (zk://host:2181/path); none: leave it out", func(text string) error {
			c.places[s.Name] = text
			return nil
		})
	}
	f.String(&c.cluster, "cluster", "Name of the cluster; default: what the state says")
	f.Duration(&c.timeout, time.Second, "timeout", "Give up after this time")
	return f
}

// where is the place of each service that has one.
func (c *command) where() ([]place, error) {
	var all []place
	for _, s := range c.services {
		p := place{service: s, folder: c.places[s.Name]}
		switch {
		case p.folder == "" && c.folder != "":
			p.folder = filepath.Join(c.folder, s.Name)
		case p.folder == "" || p.folder == none:
			continue
		case zookeeper.IsURL(p.folder):
			u, err := zookeeper.ParseURL(p.folder)
			if err != nil {
				return nil, fmt.Errorf("flag --%s: %w", s.Name, err)
			}
			p.zk = &u
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, errors.New("no place of any state is named: give --work_dir, or a flag per service: see 'souk state --help'")
	}
	return all, nil
}

// export writes what the places hold into a new file.
func (c *command) export(ctx context.Context, places []place, out io.Writer) error {
	if _, err := os.Lstat(c.file); err == nil {
		return fmt.Errorf("file %s exists: name another one", c.file)
	}
	a := archive.Archive{Cluster: c.cluster, Stores: map[string][]state.Entry{}}
	for _, p := range places {
		entries, owner, err := p.read(ctx)
		if err != nil {
			return err
		}
		if a.Cluster == "" && p.service.Name == c.services[0].Name {
			a.Cluster = owner
		}
		a.Stores[p.service.Name] = entries
	}
	if err := writeNew(c.file, a); err != nil {
		return err
	}
	return c.tell(out, "%d entries of the %s from %s\n", places, a)
}

// tell says what became of each place.
func (c *command) tell(out io.Writer, text string, places []place, a archive.Archive) error {
	for _, p := range places {
		if _, err := fmt.Fprintf(out, text, len(a.Stores[p.service.Name]), p.service.Name, p); err != nil {
			return err
		}
	}
	return nil
}

// writeNew makes the file appear whole or not at all. What apps are given may be
// secret, so that nobody else can read it.
func writeNew(path string, a archive.Archive) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".export-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if err := errors.Join(archive.Write(f, a), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// restore is import: it reads the whole file and looks at all places before it
// writes to any.
func (c *command) restore(ctx context.Context, places []place, out io.Writer) error {
	a, err := readFile(c.file)
	if err != nil {
		return fmt.Errorf("file %s: %w", c.file, err)
	}
	places, err = c.match(places, a)
	if err != nil {
		return err
	}
	for _, p := range places {
		if err := p.check(ctx, c.owner(p, a)); err != nil {
			return err
		}
	}
	for i, p := range places {
		if err := p.write(ctx, c.owner(p, a), a.Stores[p.service.Name]); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w: the %s is there already: give --%s=none next time", err, places[i-1].service.Name, places[i-1].service.Name)
			}
			return err
		}
		if err := c.tell(out, "%d entries of the %s to %s\n", places[i:i+1], a); err != nil {
			return err
		}
	}
	return nil
}

// owner is whose a store in ZooKeeper becomes. Only masters are told the name
// of the cluster.
func (c *command) owner(p place, a archive.Archive) string {
	switch {
	case p.service.Name != c.services[0].Name:
		return ""
	case c.cluster != "":
		return c.cluster
	}
	return a.Cluster
}

// match drops places that the file has nothing for, and refuses to leave
// anything out unasked.
func (c *command) match(places []place, a archive.Archive) ([]place, error) {
	to := map[string]bool{}
	var used []place
	for _, p := range places {
		if _, there := a.Stores[p.service.Name]; there {
			used, to[p.service.Name] = append(used, p), true
		} else if c.places[p.service.Name] != "" {
			return nil, fmt.Errorf("file %s has no state of the %s", c.file, p.service.Name)
		}
	}
	known := map[string]bool{}
	for _, s := range c.services {
		known[s.Name] = true
		if _, there := a.Stores[s.Name]; there && !to[s.Name] && c.places[s.Name] != none {
			return nil, fmt.Errorf("the file has state of the %s: say where it goes with --%s, or leave it out with --%s=none", s.Name, s.Name, s.Name)
		}
	}
	for name := range a.Stores {
		if !known[name] {
			return nil, fmt.Errorf("the file has state of a service that this build does not know, %q: use the build that wrote it", name)
		}
	}
	return used, nil
}

func readFile(path string) (archive.Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return archive.Archive{}, err
	}
	defer f.Close()
	return archive.Read(f)
}
