// Package validation owns the rules of acceptable input to the master: the shape
// of calls, what a framework may say of itself, what a task may look like, what
// an agent may bring. There is a function per rule; its error names the field,
// in Mesos' words where the reference has them, and is the text that the sender
// gets. It knows nothing of the master's state but what it is told.
package validation
