package core

import "slices"

// queue is the names of jobs with a queued run, in two lines: those of high
// priority come first. A name is in at most one of them, once.
type queue struct {
	high, normal []string
}

// add puts a job at the end of its line, unless it stands there already.
func (q *queue) add(job *Job) {
	line, other := &q.normal, &q.high
	if job.HighPriority {
		line, other = other, line
	}
	*other = without(*other, job.Name)
	if !slices.Contains(*line, job.Name) {
		*line = append(*line, job.Name)
	}
}

func (q *queue) remove(name string) {
	q.high = without(q.high, name)
	q.normal = without(q.normal, name)
}

func without(line []string, name string) []string {
	if i := slices.Index(line, name); i >= 0 {
		return slices.Delete(line, i, i+1)
	}
	return line
}

// names is everybody in order; a copy.
func (q *queue) names() []string {
	return slices.Concat(q.high, q.normal)
}
