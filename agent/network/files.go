package network

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// hostname is what the container calls itself.
func (s Spec) hostname() string {
	if s.Hostname != "" {
		return s.Hostname
	}
	return s.ID[:min(12, len(s.ID))]
}

// hosts is /etc/hosts of a container.
func hosts(name string, addresses []netip.Addr) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	for _, a := range addresses {
		fmt.Fprintf(&b, "%v %s\n", a, name)
	}
	if len(addresses) == 0 {
		fmt.Fprintf(&b, "127.0.1.1 %s\n", name)
	}
	return b.String()
}

// resolv is /etc/resolv.conf of a container: what the plugins said, else what the
// operator said, else the machine's own.
func resolv(plugins dns, operator []string) (string, error) {
	if len(plugins.servers) == 0 && len(operator) == 0 {
		data, err := os.ReadFile("/etc/resolv.conf")
		if os.IsNotExist(err) {
			return "", nil
		}
		return string(data), err
	}
	if len(plugins.servers) == 0 {
		plugins.servers = operator
	}
	var b strings.Builder
	if plugins.domain != "" {
		fmt.Fprintf(&b, "domain %s\n", plugins.domain)
	}
	if len(plugins.search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(plugins.search, " "))
	}
	if len(plugins.options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(plugins.options, " "))
	}
	for _, s := range plugins.servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	return b.String(), nil
}

// dns is what plugins said about names.
type dns struct {
	servers, search, options []string
	domain                   string
}

// place says that the three files are in folder.
func (a *Attachment) place(folder string) {
	a.Hosts, a.Hostname, a.Resolv = filepath.Join(folder, "hosts"), filepath.Join(folder, "hostname"), filepath.Join(folder, "resolv.conf")
}

// writeFiles makes the three files in folder and tells a where they are.
func writeFiles(folder string, s Spec, a *Attachment, names dns, operator []string) error {
	var addresses []netip.Addr
	for _, j := range a.Joined {
		addresses = append(addresses, j.Addresses...)
	}
	resolvers, err := resolv(names, operator)
	if err != nil {
		return err
	}
	a.place(folder)
	for file, text := range map[string]string{a.Hosts: hosts(s.hostname(), addresses), a.Hostname: s.hostname() + "\n", a.Resolv: resolvers} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
