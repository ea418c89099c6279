// Package core decides everything the master decides: which agents and
// frameworks there are, what is offered to whom, which tasks run, what is told
// to whom. It is a state machine: events in, effects out, time an argument. It
// does not talk, store, log, or start anything; package master does.
package core
