package core

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/soukproject/souk/frameworks/chronos/schedule"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Defaults is what a job gets that does not say.
type Defaults struct {
	CPUs float64
	Mem  float64 // MiB
	Disk float64 // MiB
	User string  // of runAsUser; "" leaves it to the agent
}

var nameForm = regexp.MustCompile(`^[\w.-]{1,150}$`)

// firstStart is the earliest start Chronos takes.
var firstStart = time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC)

// ReadJob reads the body of a create or replace. Numbers and booleans may be
// written as strings and null is absent, as Chronos reads them; members it does
// not know are ignored, members it knows and this scheduler cannot honour are
// refused. The error is an *Invalid, or ErrNoParents beside a job that is good for
// its name only.
func ReadJob(body []byte, d Defaults, zones schedule.Zones, now time.Time) (*Job, error) {
	job, err := parseJob(body, d, zones, now)
	if err != nil {
		return job, err
	}
	if !job.Dependent() && job.when.Start().Before(firstStart) {
		return nil, invalid("schedule", "starts before 1970-01-01T00:00:01Z")
	}
	return job, nil
}

// parseJob reads a job from a client or a record.
func parseJob(body []byte, d Defaults, zones schedule.Zones, now time.Time) (*Job, error) {
	f, err := readFields(body)
	if err != nil {
		return nil, err
	}
	job := f.job(d)
	f.unsupported(job)
	if f.err != nil {
		return nil, f.err
	}
	if err := job.trigger(f, now); err != nil {
		return job, err
	}
	return job, job.check(zones, now)
}

// job fills a Job from the members that stand for themselves.
func (f *fields) job(d Defaults) *Job {
	return &Job{
		Name:          f.text("name", ""),
		Command:       f.text("command", ""),
		Shell:         f.flag("shell", true),
		Epsilon:       f.text("epsilon", ""),
		Executor:      f.text("executor", ""),
		ExecutorFlags: f.text("executorFlags", ""),
		TaskInfoData:  f.text("taskInfoData", ""),
		Retries:       max(0, f.integer("retries", 2)),
		Owner:         f.text("owner", ""),
		OwnerName:     f.text("ownerName", ""),
		Description:   f.text("description", ""),
		SuccessCount:  f.integer("successCount", 0),
		ErrorCount:    f.integer("errorCount", 0),
		LastSuccess:   f.text("lastSuccess", ""),
		LastError:     f.text("lastError", ""),
		CPUs:          f.amount("cpus", d.CPUs),
		Disk:          f.amount("disk", d.Disk),
		Mem:           f.amount("mem", d.Mem),
		Disabled:      f.flag("disabled", false),
		SoftError:     f.flag("softError", false),
		DataJob:       f.flag("dataProcessingJobType", false) || f.flag("dataJob", false),
		ErrorsInARow:  f.integer("errorsSinceLastSuccess", 0),
		Environment:   f.environment(),
		Arguments:     f.texts("arguments"),
		HighPriority:  f.flag("highPriority", false),
		RunAsUser:     f.text("runAsUser", d.User),
		Concurrent:    f.flag("concurrent", false),
		MaxCompletion: max(0, f.integer("maxCompletionTime", 0)),
		Constraints:   f.constraints(),
	}
}

// unsupported refuses what Chronos would do and this scheduler cannot yet.
func (f *fields) unsupported(job *Job) {
	job.Container = f.container()
	job.Fetch, job.URIs = f.fetches()
	if job.Executor != "" {
		f.fail("executor", "custom executors are not supported yet; leave the member out and let the command do the work")
	}
	if strings.HasPrefix(job.Command, "http") || strings.HasPrefix(job.Command, "ftp") {
		f.fail("command", "running a fetched file is not supported yet; let the command fetch and run it")
	}
}

// trigger finds out what makes the job run; parents win over a schedule.
func (j *Job) trigger(f *fields, now time.Time) error {
	if _, ok := f.members["parents"]; ok {
		j.Parents = unique(f.texts("parents"))
		if f.err != nil {
			return f.err
		}
		if len(j.Parents) == 0 {
			return ErrNoParents
		}
		return nil
	}
	j.ScheduleTimeZone = f.text("scheduleTimeZone", "")
	j.Schedule = f.text("schedule", "")
	if _, ok := f.members["schedule"]; !ok {
		j.Schedule, j.ScheduleTimeZone = "R1/"+stamp(now)+"/PT24H", ""
	}
	if f.err != nil {
		return f.err
	}
	return nil
}

func unique(list []string) []string {
	var out []string
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// check validates what reading alone does not, and works out what the texts
// mean. It serves bodies and stored jobs alike.
func (j *Job) check(zones schedule.Zones, now time.Time) error {
	if !nameForm.MatchString(j.Name) {
		return invalid("name", `%.160q must match the pattern [\w\.-]+ and have at most 150 characters`, j.Name)
	}
	if err := j.checkText(); err != nil {
		return err
	}
	if err := j.checkAmounts(); err != nil {
		return err
	}
	for _, p := range j.Constraints {
		c, err := readConstraint(p)
		if err != nil {
			return err
		}
		j.placing = append(j.placing, c)
	}
	if j.Epsilon != "" {
		p, err := schedule.ParsePeriod(j.Epsilon)
		if err != nil {
			return invalid("epsilon", "%v", err)
		}
		j.epsilon = p.Duration()
	}
	if j.Dependent() {
		return j.checkParents()
	}
	return j.checkSchedule(zones, now)
}

func (j *Job) checkText() error {
	if strings.ContainsRune(j.Command, 0) {
		return invalid("command", "holds a NUL byte")
	}
	for _, v := range j.Environment {
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") || strings.ContainsRune(v.Value, 0) {
			return invalid("environmentVariables", "%.80q cannot be the name, or its value the value, of a variable", v.Name)
		}
	}
	for _, a := range j.Arguments {
		if strings.ContainsRune(a, 0) {
			return invalid("arguments", "one holds a NUL byte")
		}
	}
	if size, err := encode(j); err != nil || len(size) > MaxJobBytes {
		return invalid("job", "larger than %d bytes as JSON", MaxJobBytes)
	}
	return nil
}

func (j *Job) checkAmounts() error {
	for _, a := range []struct {
		name   string
		amount float64
	}{{"cpus", j.CPUs}, {"mem", j.Mem}, {"disk", j.Disk}} {
		if _, err := resources.ScalarOf(a.amount); err != nil {
			return invalid(a.name, "%v", err)
		}
	}
	if j.Retries > 1_000_000 || j.MaxCompletion > 1<<33 {
		return invalid("retries", "or maxCompletionTime is too large")
	}
	return nil
}

func (j *Job) checkParents() error {
	if len(j.Parents) > MaxParents {
		return invalid("parents", "more than %d", MaxParents)
	}
	for _, p := range j.Parents {
		if p == j.Name {
			return invalid("parents", "%q cannot be its own parent", p)
		}
	}
	return nil
}

// checkSchedule parses the schedule. One without a start gets the one it means
// now, because now would be another time when it is read back.
func (j *Job) checkSchedule(zones schedule.Zones, now time.Time) error {
	zone, err := zones.Load(j.ScheduleTimeZone)
	if err != nil {
		return invalid("scheduleTimeZone", "%v", err)
	}
	j.when, err = schedule.Parse(j.Schedule, zone, now)
	if err != nil {
		return invalid("schedule", "Cannot parse schedule '%.200s': %v", j.Schedule, err)
	}
	if strings.Contains(j.Schedule, "//") {
		j.Schedule = j.when.String()
	}
	return nil
}

// encode writes JSON on one line, without escaping what only browsers mind.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
