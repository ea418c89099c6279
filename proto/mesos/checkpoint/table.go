package checkpointpb

import "slices"

// A Table is what a log of Records amounts to: the last one of each object that
// is not gone, in the order the objects came. The zero Table is empty. Not for
// concurrent use.
type Table struct {
	places  map[string]int
	records []*Record // nil where an object is gone
}

// Put applies records in order.
func (t *Table) Put(records ...*Record) {
	if t.places == nil {
		t.places = make(map[string]int)
	}
	for _, r := range records {
		t.put(r)
	}
}

func (t *Table) put(r *Record) {
	key := r.Key()
	place, known := t.places[key]
	switch {
	case r.GetGone() && known:
		t.records[place] = nil
		delete(t.places, key)
		t.shrink()
	case r.GetGone():
	case known:
		t.records[place] = r
	default:
		t.places[key] = len(t.records)
		t.records = append(t.records, r)
	}
}

// shrink closes the gaps once they are the larger part.
func (t *Table) shrink() {
	if len(t.records) < 64 || len(t.places)*2 > len(t.records) {
		return
	}
	t.records = slices.DeleteFunc(t.records, func(r *Record) bool { return r == nil })
	for i, r := range t.records {
		t.places[r.Key()] = i
	}
}

// Len is the number of objects.
func (t *Table) Len() int { return len(t.places) }

// Records returns the records of all objects. The caller owns the slice, and
// must not change the records.
func (t *Table) Records() []*Record {
	return slices.DeleteFunc(slices.Clone(t.records), func(r *Record) bool { return r == nil })
}

// Key names the object that a record is of; "" is no object.
func (x *Record) Key() string {
	switch {
	case x.GetAgent() != nil:
		return "agent"
	case x.GetFramework() != nil:
		return "framework/" + x.GetFramework().GetId().GetValue()
	case x.GetTask() != nil:
		return "task/" + x.GetTask().GetFrameworkId().GetValue() + "/" + x.GetTask().GetTaskId().GetValue()
	case x.GetProgress() != nil:
		return "progress/" + x.GetProgress().GetFrameworkId().GetValue() + "/" + x.GetProgress().GetTaskId().GetValue()
	case x.GetResources() != nil:
		return "resources"
	case x.GetOperation() != nil:
		return "operation/" + string(x.GetOperation().GetUuid())
	case x.GetExecutor() != nil:
		return "executor/" + x.GetExecutor().GetFrameworkId().GetValue() + "/" + x.GetExecutor().GetContainerId().GetValue()
	}
	return ""
}
