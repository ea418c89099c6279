// Package checkpointpb is the format of what an agent stores: Records, and the
// Table that a log of them amounts to. It does not read or write files; see
// agent/checkpoint.
package checkpointpb
