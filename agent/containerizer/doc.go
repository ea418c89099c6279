// Package containerizer says what running containers on one machine means: the
// interface, its plain types, and the life of a container in prose. It runs
// nothing itself; see the packages posix and runc, and containerizertest for
// the suite that both pass and a fake that works in memory.
//
// # The life of a container
//
// A container is one command, everything it starts, and a record on disk that
// outlives the process that asked for it.
//
//	          Launch                the command ends              Destroy
//	(none) ───────────▶ running ───────────────────────▶ ended ───────────▶ (none)
//	                       │                                                  ▲
//	                       └───────────────── Destroy ────────────────────────┘
//
// Launch returns when the command runs, or fails and leaves nothing behind. The
// command's output goes straight to the files stdout and stderr in the sandbox,
// opened for appending; nobody sits between the two, so nothing is lost when
// the agent goes away, and rotating them means copying and truncating.
//
// A container ends when its first process ends; whatever that one started is
// killed then. How it ended is written down durably by a process that belongs
// to the container (its shim), whether or not an agent is there to see it.
// Wait reports that record as often as it is asked to.
//
// Destroy kills what runs, removes everything the container had on the machine
// except its sandbox, and forgets it, exit record included. The agent calls it
// once it has stored the outcome itself.
//
// A container may be nested in one that runs: it enters that one's namespaces,
// which is cheap enough for a health check every second. It has a life of its own
// like any other, but no longer than its parent: it is killed when that ends, and
// destroyed before that is destroyed.
//
// Recover comes first in the life of an agent and once only. The agent names
// the containers it knows of; running ones are adopted, the outcome of ended
// ones is found, and for one that left no trace Wait answers "lost". All others
// found on disk are orphans of a launch that was never recorded and are
// destroyed.
//
// All methods may be called concurrently, also for the same container. None of
// them holds anything while it waits.
package containerizer
