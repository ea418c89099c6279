package simulation

import (
	"fmt"
	"strings"
)

// A Result counts what a run went through.
type Result [kinds]int

// A Kind is what a Result counts.
type Kind int

// The kinds. Everything that can go wrong is among them: what is not counted may
// never have happened.
const (
	Seconds    Kind = iota // of virtual time
	Steps                  // of cores
	Writes                 // to stores, in groups
	Requests               // of operators and users
	Reigns                 // leaders that took over, of masters and frameworks
	Updates                // of tasks that schedulers heard
	Outcomes               // of operations that schedulers heard
	Launches               // of containers
	Executors              // that frameworks brought, among them
	Groups                 // of tasks that executors were given
	Volumes                // that were made or removed
	Estates                // compared with what operations were said to have made
	Asked                  // inverse offers
	Downs                  // of machines that were worked on
	Teardowns              // of frameworks by operators
	Departures             // of schedulers that never came back

	Crashes         // of processes
	EffectCrashes   // of them between two effects
	Reboots         // of machines
	ExecutorCrashes // of what frameworks brought
	FailedLaunches  // of containers
	Aborts          // of launches that nobody wanted any more
	FailedVolumes   // that could not be made or removed
	FullDisks       // of agents
	FullStores      // of leaders
	AwayStores      // that nobody could reach
	LostAnswers     // of writes that were done
	RefusedWrites   // of leaders that were deposed
	Expiries        // of sessions
	LateNotices     // of them, that came after the session could have expired again
	Cuts            // of connections
	Isolations      // of machines
	LostMessages
	DoubledMessages
	LateMessages // that others overtook
	Jumps        // of clocks
	kinds
)

// Add sums two results.
func (r Result) Add(o Result) Result {
	for k := range r {
		r[k] += o[k]
	}
	return r
}

// String lists all counts by their names.
func (r Result) String() string {
	var text []string
	for k, n := range r {
		text = append(text, fmt.Sprintf("%v=%d", Kind(k), n))
	}
	return strings.Join(text, " ")
}

// String is the name of what is counted.
func (k Kind) String() string {
	return [kinds]string{
		"seconds", "steps", "writes", "requests", "reigns", "updates", "outcomes", "launches", "executors", "groups", "volumes",
		"estates", "asked", "downs", "teardowns", "departures",
		"crashes", "effect-crashes", "reboots", "executor-crashes", "failed-launches", "aborts", "failed-volumes",
		"full-disks", "full-stores", "away-stores", "lost-answers", "refused-writes", "expiries", "late-notices", "cuts", "isolations",
		"lost-messages", "doubled-messages", "late-messages", "jumps",
	}[k]
}
