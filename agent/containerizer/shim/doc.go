// Package shim is what a container's shim and its agent agree on: the files by
// which a container outlives the agent, the one answer on a pipe, and how to name
// and find processes. It owns no goroutine and keeps nothing in memory; package
// keeper works with these files on the agent's side, the two launchers on the
// other.
//
// # One container, one directory
//
// A shim is a small process per container, the parent of its command. It and
// the agent share nothing but a directory:
//
//	lock       locked by the agent at first and, inherited, by the shim until it ends
//	spec.json  what to run, written by the agent before the shim starts
//	shim.pid   the shim, written by itself: pid and start time
//	pid        the first process of the container, likewise
//	exit       how it ended: written, synced and renamed by the shim
//	log        what the shim itself had to say
//
// The lock is the one sign of life that cannot be stale: the kernel drops it
// with the last process that holds it. A directory without a lock held and
// without an exit file belonged to a shim that was killed, or to a machine that
// was switched off; the boot id beside the directories tells the two apart.
//
// A shim says on a pipe when the command runs or why it does not, and never
// talks to an agent again.
package shim
