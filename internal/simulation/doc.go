// Package simulation runs whole clusters in one goroutine: a master's core,
// agents' cores and scripted schedulers over a network, disks and containers
// that fail in every way one seed can think of. It owns the faults and the
// invariants; it decides nothing that a cluster decides. Time is virtual and a
// seed gives the same run to the last event, so that a failure is one line that
// anybody can replay.
package simulation
