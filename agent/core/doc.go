// Package core decides everything an agent decides: which tasks it takes, when
// their containers are launched and ended, what is stored before anything is
// done, and what the master is told. It is a state machine: events in, effects
// out, time an argument. It does not talk, store, log or start anything;
// package agent does. Not for concurrent use.
//
// # Durable before done
//
// What must not be lost is stored first: an effect Checkpoint, and the step
// that needed it follows when Checkpointed comes back.
//
//	a task before its container is launched   so that no launch is forgotten
//	a kill before the signal                  so that the end is known to be wanted
//	an update before it is sent               so that what was said stays true
//	the terminal update before Destroy        so that the exit status is not lost
//
// After a crash, a task whose container left no trace was never launched, and
// is reported so; it is never launched again.
package core
