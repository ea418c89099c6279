package simulation

// Result counts what a run went through.
type Result struct {
	Seconds  int // of virtual time
	Steps    int // of cores
	Launches int // of containers
	Updates  int // of tasks that schedulers heard
	Writes   int // to stores, in groups
	Requests int // of operators and users
	Reigns   int // leaders that took over, of masters and frameworks
	Crashes  int // of processes
	Expiries int // of sessions
	Cuts     int // of connections
	Downs    int // of machines that were worked on
	Asked    int // inverse offers
}

// Add sums two results.
func (r Result) Add(o Result) Result {
	return Result{
		r.Seconds + o.Seconds, r.Steps + o.Steps, r.Launches + o.Launches, r.Updates + o.Updates, r.Writes + o.Writes,
		r.Requests + o.Requests, r.Reigns + o.Reigns, r.Crashes + o.Crashes, r.Expiries + o.Expiries, r.Cuts + o.Cuts,
		r.Downs + o.Downs, r.Asked + o.Asked,
	}
}
