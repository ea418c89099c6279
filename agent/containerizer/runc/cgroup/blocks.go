package cgroup

import (
	"slices"
	"strconv"
	"strings"

	"github.com/soukproject/souk/agent/containerizer"
)

// blocksV1 reads what the group did with each device.
func (g Group) blocksV1() []containerizer.BlockIO {
	var list []containerizer.BlockIO
	ops, _ := read(g.file("blkio", "blkio.throttle.io_serviced_recursive"))
	bytes, _ := read(g.file("blkio", "blkio.throttle.io_service_bytes_recursive"))
	eachBlock(ops, func(major, minor uint64, fields []string) {
		b := blockOf(&list, major, minor)
		countV1(fields, &b.Reads, &b.Writes)
	})
	eachBlock(bytes, func(major, minor uint64, fields []string) {
		b := blockOf(&list, major, minor)
		countV1(fields, &b.ReadBytes, &b.WriteBytes)
	})
	return list
}

// countV1 understands "Read 5" and "Write 7" behind a device.
func countV1(fields []string, reads, writes *uint64) {
	if len(fields) != 2 {
		return
	}
	n, _ := strconv.ParseUint(fields[1], 10, 64)
	switch fields[0] {
	case "Read":
		*reads = n
	case "Write":
		*writes = n
	}
}

// blocksV2 understands "rbytes=5 wbytes=7 rios=1 wios=2" behind a device.
func (g Group) blocksV2() []containerizer.BlockIO {
	var list []containerizer.BlockIO
	text, _ := read(g.file("", "io.stat"))
	eachBlock(text, func(major, minor uint64, fields []string) {
		b := blockOf(&list, major, minor)
		for _, field := range fields {
			name, value, _ := strings.Cut(field, "=")
			n, _ := strconv.ParseUint(value, 10, 64)
			switch name {
			case "rbytes":
				b.ReadBytes = n
			case "wbytes":
				b.WriteBytes = n
			case "rios":
				b.Reads = n
			case "wios":
				b.Writes = n
			}
		}
	})
	return list
}

// eachBlock calls do for every line that begins with the numbers of a device.
func eachBlock(text string, do func(major, minor uint64, fields []string)) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		first, second, ok := strings.Cut(fields[0], ":")
		major, err1 := strconv.ParseUint(first, 10, 32)
		minor, err2 := strconv.ParseUint(second, 10, 32)
		if ok && err1 == nil && err2 == nil {
			do(major, minor, fields[1:])
		}
	}
}

func blockOf(list *[]containerizer.BlockIO, major, minor uint64) *containerizer.BlockIO {
	i := slices.IndexFunc(*list, func(b containerizer.BlockIO) bool { return b.Major == major && b.Minor == minor })
	if i < 0 {
		i = len(*list)
		*list = append(*list, containerizer.BlockIO{Major: major, Minor: minor})
	}
	return &(*list)[i]
}
