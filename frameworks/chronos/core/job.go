package core

import (
	"encoding/json"
	"time"

	"github.com/soukproject/souk/frameworks/chronos/schedule"
)

// A Job is one job as clients see it, with Chronos' member names. It is never
// changed once built: changes are copies.
type Job struct {
	Name          string     `json:"name"`
	Command       string     `json:"command"`
	Shell         bool       `json:"shell"`
	Epsilon       string     `json:"epsilon,omitempty"` // only when a client of Chronos 2 gave one
	Executor      string     `json:"executor"`          // always empty: ReadJob refuses others
	ExecutorFlags string     `json:"executorFlags"`
	TaskInfoData  string     `json:"taskInfoData"`
	Retries       int64      `json:"retries"`
	Owner         string     `json:"owner"`
	OwnerName     string     `json:"ownerName"`
	Description   string     `json:"description"`
	SuccessCount  int64      `json:"successCount"`
	ErrorCount    int64      `json:"errorCount"`
	LastSuccess   string     `json:"lastSuccess"` // "" or as written by stamp; bodies may bring any text
	LastError     string     `json:"lastError"`
	CPUs          float64    `json:"cpus"`
	Disk          float64    `json:"disk"` // MiB
	Mem           float64    `json:"mem"`  // MiB
	Disabled      bool       `json:"disabled"`
	SoftError     bool       `json:"softError"`
	DataJob       bool       `json:"dataProcessingJobType"`
	ErrorsInARow  int64      `json:"errorsSinceLastSuccess"`
	Fetch         []Fetch    `json:"fetch"`
	URIs          []string   `json:"uris"` // those of Fetch
	Environment   []Variable `json:"environmentVariables"`
	Arguments     []string   `json:"arguments"`
	HighPriority  bool       `json:"highPriority"`
	RunAsUser     string     `json:"runAsUser"`
	Concurrent    bool       `json:"concurrent"`
	MaxCompletion int64      `json:"maxCompletionTime"` // seconds; 0: no limit
	Constraints   []Placing  `json:"constraints"`
	Container     *Container `json:"container,omitempty"`

	Parents          []string `json:"-"` // of a dependent job, at least one; nil for a scheduled one
	Schedule         string   `json:"-"` // of a scheduled job, as given until it first moves
	ScheduleTimeZone string   `json:"-"`

	when    schedule.Schedule // what Schedule says
	epsilon time.Duration     // what Epsilon says; 0: any lateness will do
	placing []constraint      // what Constraints says
}

// A Fetch is a file that a run finds in its sandbox.
type Fetch struct {
	URI        string `json:"uri"`
	Executable bool   `json:"executable"`
	Cache      bool   `json:"cache"`
	Extract    bool   `json:"extract"`
	OutputFile string `json:"output_file"` // "": the last part of URI
}

// A Variable is one entry of a job's environment.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Placing is a constraint as written: attribute, operator, value.
type Placing [3]string

// Dependent reports whether the job runs after its parents rather than by a schedule.
func (j *Job) Dependent() bool { return len(j.Parents) > 0 }

// Next is when a scheduled job is due; false for a dependent, a disabled or an
// exhausted one.
func (j *Job) Next() (time.Time, bool) {
	if j.Dependent() || j.Disabled || j.when.Repeat == 0 {
		return time.Time{}, false
	}
	return j.when.Start(), true
}

// MarshalJSON writes the members in Chronos' order, on one line.
func (j *Job) MarshalJSON() ([]byte, error) {
	type body Job
	if j.Dependent() {
		return encode(struct {
			*body
			Parents []string `json:"parents"`
		}{(*body)(j), j.Parents})
	}
	return encode(struct {
		*body
		Schedule         string `json:"schedule"`
		ScheduleTimeZone string `json:"scheduleTimeZone"`
	}{(*body)(j), j.Schedule, j.ScheduleTimeZone})
}

// rescheduled is a copy with another schedule.
func (j *Job) rescheduled(when schedule.Schedule) *Job {
	moved := *j
	moved.when = when
	moved.Schedule = when.String()
	return &moved
}

// succeeded is a copy that counts a success.
func (j *Job) succeeded(now time.Time) *Job {
	next := *j
	next.SuccessCount++
	next.ErrorsInARow = 0
	next.LastSuccess = stamp(now)
	return &next
}

// failed is a copy that counts a final failure.
func (j *Job) failed(now time.Time) *Job {
	next := *j
	next.ErrorCount++
	next.ErrorsInARow++
	next.LastError = stamp(now)
	return &next
}

// disabled is a copy that no longer runs by itself.
func (j *Job) disabled() *Job {
	next := *j
	next.Disabled = true
	return &next
}

// stamp writes a time as Chronos does: UTC with milliseconds.
func stamp(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// Outcome says how the job last ended: fresh, success or failure.
func (j *Job) Outcome() string {
	success, ok := readStamp(j.LastSuccess)
	failure, bad := readStamp(j.LastError)
	switch {
	case !ok && !bad:
		return "fresh"
	case !bad || ok && !success.Before(failure):
		return "success"
	}
	return "failure"
}

// readStamp reads a client's lastSuccess or lastError; any other text is none.
func readStamp(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, text)
	return t, err == nil
}

var _ json.Marshaler = (*Job)(nil)
