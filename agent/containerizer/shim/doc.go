// Package shim is what the containerizers posix and runc have in common: the
// files by which a container outlives its agent, and the Keeper that follows
// them. It owns the life of a container as its parent package tells it; how
// processes are isolated, killed and measured is left to a Driver.
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
//
// Concurrency: a Keeper may be used by many goroutines; everything else is plain
// values and functions.
package shim
