package core

import "encoding/binary"

const (
	// chunkSize is how many bytes share one piece of memory; a larger record gets a piece of its own.
	chunkSize = 1 << 20
	// firstChunk is what the first piece has; each one after it twice as much as
	// the one before, up to chunkSize: a master of few tasks stays small.
	firstChunk = 16 << 10
	// header precedes each record: the row it belongs to, then its length.
	header = 8
)

// A ref says where a record lies in a slab. The zero ref is no record.
type ref struct{ chunk, offset uint32 }

// A slab keeps byte strings without a pointer to each. Bytes once written never
// change, so that a snapshot may read them while the master goes on. What is
// dropped leaves a hole; the rest of a chunk that is half holes is moved away.
type slab struct {
	chunks [][]byte // chunk 0 is never used; one that was given up is nil
	live   []uint32 // how many bytes of each chunk are in use
	free   []uint32 // chunks given up
	open   uint32   // the chunk being filled; 0 if none is

	// holder is where a row keeps the ref of its record at a place, or nil if
	// that record was dropped.
	holder func(row uint32, at ref) *ref
}

func newSlab(holder func(row uint32, at ref) *ref) slab {
	return slab{chunks: make([][]byte, 1), live: make([]uint32, 1), holder: holder}
}

// put stores a copy of the parts, one after the other, as one record of a row.
func (s *slab) put(row uint32, parts ...[]byte) ref {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	at := s.room(header + n)
	c := s.chunks[at.chunk]
	c = binary.LittleEndian.AppendUint32(c, row)
	c = binary.LittleEndian.AppendUint32(c, uint32(n))
	for _, p := range parts {
		c = append(c, p...)
	}
	s.chunks[at.chunk] = c
	s.live[at.chunk] += uint32(header + n)
	return at
}

// room finds where n more bytes fit without moving what is there.
func (s *slab) room(n int) ref {
	if n > chunkSize/4 {
		return ref{s.add(n), 0}
	}
	if c := s.chunks[s.open]; s.open == 0 || cap(c)-len(c) < n {
		s.open = s.add(max(n, min(chunkSize, firstChunk<<min(len(s.chunks)-1, 10))))
	}
	return ref{s.open, uint32(len(s.chunks[s.open]))}
}

func (s *slab) add(capacity int) uint32 {
	c := make([]byte, 0, capacity)
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		s.chunks[id] = c
		return id
	}
	s.chunks = append(s.chunks, c)
	s.live = append(s.live, 0)
	return uint32(len(s.chunks) - 1)
}

// record reads a record, which nobody may change. The chunks may be those of a snapshot.
func record(chunks [][]byte, at ref) []byte {
	if at == (ref{}) {
		return nil
	}
	c := chunks[at.chunk][at.offset:]
	n := binary.LittleEndian.Uint32(c[4:])
	return c[header : header+n : header+n]
}

func (s *slab) get(at ref) []byte { return record(s.chunks, at) }

// drop forgets a record. Its holder must have let go of it.
func (s *slab) drop(at ref) {
	if at == (ref{}) {
		return
	}
	s.live[at.chunk] -= uint32(header + len(s.get(at)))
	switch {
	case s.live[at.chunk] == 0:
		s.giveUp(at.chunk)
	case at.chunk != s.open && int(s.live[at.chunk]) < len(s.chunks[at.chunk])/2:
		s.compact(at.chunk)
	}
}

func (s *slab) giveUp(chunk uint32) {
	if chunk == s.open {
		s.open = 0
	}
	s.chunks[chunk], s.live[chunk] = nil, 0
	s.free = append(s.free, chunk)
}

// compact moves the records of a chunk that are still in use elsewhere.
func (s *slab) compact(chunk uint32) {
	old := s.chunks[chunk]
	for offset := 0; offset < len(old); {
		at := ref{chunk, uint32(offset)}
		row, body := binary.LittleEndian.Uint32(old[offset:]), s.get(at)
		if held := s.holder(row, at); held != nil {
			*held = s.put(row, body)
		}
		offset += header + len(body)
	}
	s.giveUp(chunk)
}

// size counts the bytes held, holes included.
func (s *slab) size() (n int) {
	for _, c := range s.chunks {
		n += cap(c)
	}
	return n
}
