package hierarchical

import (
	"math/bits"
	"slices"
)

// A slot is the number under which an agent remembers that a client refused it. When the filters of a client become
// void (it revived its role, it went away) the client takes another slot, and what is filed under the old one says
// nothing any more. Thus nobody has to look for it.
type slots struct {
	owner  []int32 // client, or none
	uses   []int32 // filters filed under the slot
	unused []int32
	void   int // slots that have filters and no owner

	competing bitset // slots of clients that want something
	hungry    bitset // those of them that may have more that counts for quota
}

const none = -1

// take gives a client a slot.
func (s *slots) take(c int32) int32 {
	if last := len(s.unused) - 1; last >= 0 {
		slot := s.unused[last]
		s.unused = s.unused[:last]
		s.owner[slot] = c
		return slot
	}
	s.owner, s.uses = append(s.owner, c), append(s.uses, 0)
	return int32(len(s.owner) - 1)
}

// leave takes a slot from its owner.
func (s *slots) leave(slot int32) {
	s.owner[slot] = none
	s.competing.clear(slot)
	s.hungry.clear(slot)
	if s.uses[slot] == 0 {
		s.unused = append(s.unused, slot)
		return
	}
	s.void++
}

// use counts a filter.
func (s *slots) use(slot int32) { s.uses[slot]++ }

// drop counts a filter less.
func (s *slots) drop(slot int32) {
	if s.uses[slot]--; s.uses[slot] == 0 && s.owner[slot] == none {
		s.unused = append(s.unused, slot)
		s.void--
	}
}

// crowded reports whether it is time to look for void filters after all.
func (s *slots) crowded() bool { return s.void > 64 && s.void > len(s.owner)/2 }

// bitset is a set of slots.
type bitset []uint64

func (b bitset) has(n int32) bool { return int(n>>6) < len(b) && b[n>>6]&(1<<(n&63)) != 0 }

func (b *bitset) set(n int32) {
	if missing := int(n>>6) + 1 - len(*b); missing > 0 {
		*b = append(*b, make(bitset, missing)...)
	}
	(*b)[n>>6] |= 1 << (n & 63)
}

func (b bitset) clear(n int32) {
	if int(n>>6) < len(b) {
		b[n>>6] &^= 1 << (n & 63)
	}
}

// without counts what is in b and not in o, and stops counting at limit.
func (b bitset) without(o bitset, limit int) int {
	n := 0
	for i := 0; i < len(b) && n < limit; i++ {
		if i < len(o) {
			n += bits.OnesCount64(b[i] &^ o[i])
		} else {
			n += bits.OnesCount64(b[i])
		}
	}
	return n
}

// list appends what is in b and not in o.
func (b bitset) list(o bitset, out []int32) []int32 {
	for i, word := range b {
		if i < len(o) {
			word &^= o[i]
		}
		for ; word != 0; word &= word - 1 {
			out = append(out, int32(i<<6+bits.TrailingZeros64(word)))
		}
	}
	return out
}

// sparse is a set of slots that takes little room while it is small.
type sparse struct {
	few  []int32 // sorted; none once there are many
	many bitset
	size int
}

// maxFew is how many slots take less room as numbers than as bits, for the smallest clusters it pays for.
const maxFew = 24

func (s *sparse) has(n int32) bool {
	if s.many != nil {
		return s.many.has(n)
	}
	_, in := slices.BinarySearch(s.few, n)
	return in
}

// add adds a slot that is not there. all is how many slots there are.
func (s *sparse) add(n int32, all int) {
	s.size++
	if s.many == nil && len(s.few) >= max(maxFew, all/32) {
		s.many = make(bitset, (all+63)/64)
		for _, x := range s.few {
			s.many.set(x)
		}
		s.few = nil
	}
	if s.many != nil {
		s.many.set(n)
		return
	}
	at, _ := slices.BinarySearch(s.few, n)
	s.few = slices.Insert(s.few, at, n)
}

// remove removes a slot that is there.
func (s *sparse) remove(n int32) {
	s.size--
	if s.many != nil {
		s.many.clear(n)
		return
	}
	at, _ := slices.BinarySearch(s.few, n)
	s.few = slices.Delete(s.few, at, at+1)
}

// into adds all slots to a bitset.
func (s *sparse) into(b *bitset) {
	for _, n := range s.few {
		b.set(n)
	}
	if missing := len(s.many) - len(*b); missing > 0 {
		*b = append(*b, make(bitset, missing)...)
	}
	for i, word := range s.many {
		(*b)[i] |= word
	}
}

// slots lists the slots.
func (s *sparse) slots() []int32 {
	if s.many != nil {
		return s.many.list(nil, nil)
	}
	return slices.Clone(s.few)
}
