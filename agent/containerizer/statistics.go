package containerizer

import "time"

// Traffic counts what went through the network devices of a container, seen from
// inside. It has some only on a network of its own.
type Traffic struct {
	Received Packets `json:"received"`
	Sent     Packets `json:"sent"`
}

// Packets are those of one direction.
type Packets struct {
	Bytes   uint64 `json:"bytes"`
	Count   uint64 `json:"count"`
	Errors  uint64 `json:"errors"`
	Dropped uint64 `json:"dropped"`
}

// BlockIO counts what a container did with one block device.
type BlockIO struct {
	Major      uint64 `json:"major"`
	Minor      uint64 `json:"minor"`
	Reads      uint64 `json:"reads"` // operations
	Writes     uint64 `json:"writes"`
	ReadBytes  uint64 `json:"read_bytes"`
	WriteBytes uint64 `json:"write_bytes"`
}

// Pressure says how much of its time a container waited for what it had too
// little of, where the kernel tells (PSI).
type Pressure struct {
	CPU    Stalls `json:"cpu"`
	Memory Stalls `json:"memory"`
	IO     Stalls `json:"io"`
}

// Stalls are of some of the tasks, or of all of them at a time.
type Stalls struct {
	Some Stall `json:"some"`
	Full Stall `json:"full"`
}

// Stall is in percent of the last 10, 60 and 300 seconds, and in all.
type Stall struct {
	Avg10  float64       `json:"avg10"`
	Avg60  float64       `json:"avg60"`
	Avg300 float64       `json:"avg300"`
	Total  time.Duration `json:"total_ns"`
}
