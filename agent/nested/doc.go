// Package nested runs the containers that operators and executors ask for
// themselves, through the agent's operator API: nested in the container of an
// executor, to look into it or as a part of it, or standing alone. It owns their
// names, their sandboxes, the records by which the next agent knows them, and how
// their output is followed. What runs in them and how is the containerizer's.
//
// No task depends on them and no master hears of them, so nothing is decided
// about them: the core does not know them.
//
// Concurrency: a Registry may be used by many goroutines.
package nested
