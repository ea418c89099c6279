// Package runc runs isolated containers on Linux, without linking libcontainer:
// it starts the helper program souk-containerizer, one process per container,
// and works with what that leaves behind (see packages shim and keeper). Each
// container has pid, mount, ipc and uts namespaces, the machine's network, the
// machine's files and, at level Full, a cgroup with limits. It owns the choice of
// level, cgroup paths, limits and measurements; what a container looks like from
// inside is decided in runc/launcher.
//
// A service manager that kills whole control groups must leave the shims alone
// when it stops the agent: with systemd that is KillMode=process. Two agents on
// one machine need parent cgroups of their own, because Recover destroys what it
// finds there and does not know.
//
// Left out for now and refused, not imitated: containers without root (level
// None, with a reason), images, private networks and devices beyond the harmless
// ones.
package runc
