// Package checker reads what was asked of a cluster, what its tasks wrote about
// themselves and what everyone says at the end, and finds what was lost or
// doubled, in the manner of Jepsen's tests of Chronos and Marathon. It owns the
// rules; it does not own how a history comes about, and asks nobody anything.
package checker

import "time"

// A History is all that is known about one cluster once it has healed. Times
// are of one clock.
type History struct {
	Epsilon  time.Duration // how late a run may start
	Quiet    time.Time     // since then nothing is asked and nothing is broken
	Troubles []Window      // when something was broken, each with the time to recover from it

	Writes  []Write
	Jobs    []Job
	Tasks   []Task          // by their own logs
	Crashed map[string]bool // tasks whose processes were killed on purpose
	Ended   map[string]bool // tasks that some agent, master or framework has called ended
	Agents  []string        // ids of the agents before anything was broken
	Final   View
}

// A Window is a time with trouble.
type Window struct{ From, To time.Time }

// An Outcome is what a client was told about a write.
type Outcome int

// The outcomes. Unknown is a write that may still happen, or has happened.
const (
	Unknown Outcome = iota
	Done
	Refused
)

// A Write is one attempt to set a value: how many instances an app has, which
// weight a role.
type Write struct {
	Key      string
	Value    int // Absent: it is deleted
	Asked    time.Time
	Answered time.Time
	Outcome  Outcome
	Answer   string // of a refusal
}

// Absent is the value of what does not exist.
const Absent = -1

// lingering is how long a write that got no answer may take to happen: a
// request that waits in a broken connection, or in a frozen process.
const lingering = 90 * time.Second

// A Job is one that Chronos was asked for.
type Job struct {
	Name    string
	Known   time.Time // when it was acknowledged; zero: never, so it may exist or not
	Due     time.Time // of the first run; zero: it follows Parent
	Period  time.Duration
	Parent  string
	Fails   int       // so many attempts of each run fail by themselves
	Retries int       // so many follow a failure
	Removed time.Time // when its deletion was asked for; zero: never
	Gone    time.Time // when that was acknowledged
}

// A Task is what a task wrote about itself. Job is "" for one of an app.
type Task struct {
	ID      string
	App     string
	Job     string
	Due     time.Time
	Attempt int
	Starts  []time.Time
	Ends    []End
}

// An End is the last thing that a task wrote.
type End struct {
	At   time.Time
	Code int
}

// A View is what everyone says at the end.
type View struct {
	Values    map[string]int      // what writes were about
	Instances map[string][]string // running tasks of each app, as Marathon lists them
	Runs      map[string][]Run    // of each job that Chronos has
	Master    map[string]string   // tasks that are not over, and their states, as the master has them
	OnAgents  map[string]string   // the same as the agents have it
	Processes map[string]bool     // tasks that processes belong to
	Active    []string            // ids of active agents
}

// A Run is one attempt as Chronos tells it.
type Run struct {
	Task    string
	State   string
	Due     time.Time
	Attempt int
}

// A Rule is a promise.
type Rule string

// The rules.
const (
	StartsOnce     Rule = "a task starts once"
	RunsOnce       Rule = "a run happens once"
	RunsAll        Rule = "what is due runs"
	RunsInTime     Rule = "a run starts within epsilon"
	RunsAsked      Rule = "only what was asked for runs"
	RetriesFailure Rule = "only failures are tried again"
	TellsTruth     Rule = "history and logs agree"
	KeepsWrites    Rule = "acknowledged writes survive"
	RefusesNothing Rule = "sound requests are not refused"
	CountsMatch    Rule = "apps have their instances"
	KnowsTasks     Rule = "everyone knows the same tasks"
	KnowsEnds      Rule = "the end of each task is known"
	KeepsAgents    Rule = "agents stay who they are"
)

// A Violation is a promise that was broken, and by what.
type Violation struct {
	Rule Rule
	What string
}

func (v Violation) String() string { return string(v.Rule) + ": " + v.What }
