// Package runc runs isolated containers on Linux, without linking libcontainer:
// it starts the helper program souk-containerizer, one process per container,
// and works with what that leaves behind (see packages shim and keeper). Each
// container has pid, mount, ipc and uts namespaces, the machine's network, the
// machine's files and, at level Full, a cgroup with limits. It owns the choice of
// level, cgroup paths, limits and measurements; what a container looks like from
// inside is decided in runc/launcher.
package runc
