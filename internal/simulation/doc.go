// Package simulation runs whole clusters in one goroutine: the cores of several
// masters that elect a leader, of agents, and of Marathon and Chronos with two
// instances each, beside scripted schedulers, operators and users, over an
// election, stores, a network, disks, clocks and containers that fail in every
// way one seed can think of. It owns the faults and the invariants; it decides
// nothing that a cluster decides. Time is virtual and a seed gives the same run
// to the last event, so that a failure is one line that anybody can replay.
package simulation
