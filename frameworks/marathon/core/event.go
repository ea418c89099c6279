package core

import (
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An Event is anything the scheduler learns.
type Event interface{ event() }

type (
	// Subscribed reports a subscription: the first one, or one after a failover.
	Subscribed struct {
		FrameworkID string
		Master      string // host:port
		Region      string // of the master, "" for none
	}
	// Disconnected reports that the subscription is over.
	Disconnected struct{}
	// Removed reports that the master has removed the framework: its id is used
	// up, and its tasks are gone. Resign follows when that is stored.
	Removed struct{}
	// Offered brings offers; each is used or declined in the same step.
	Offered struct{ Offers []*mesospb.Offer }
	// Updated brings a task's status. Acknowledge{Token} says that it is stored.
	Updated struct {
		Token  uint64
		Status *mesospb.TaskStatus
	}
	// Messaged brings an executor's message, which is only published.
	Messaged struct {
		AgentID, ExecutorID string
		Data                []byte
	}
	// Probed brings the result of a Probe.
	Probed struct {
		TaskID string
		Index  int
		Result ProbeResult
	}
	// Persisted reports that the Persist with Seq, and all before it, are durable.
	Persisted struct{ Seq uint64 }
	// Tick is sent when the Deadline has come.
	Tick struct{}
	// Command carries a request of the API. Reply{Token} answers it.
	Command struct {
		Token   uint64
		Request Request
	}
)

// ProbeResult is what a health check found.
type ProbeResult struct {
	Healthy bool
	Ignored bool   // says nothing either way
	Cause   string // of a failure
}

func (Subscribed) event()   {}
func (Disconnected) event() {}
func (Removed) event()      {}
func (Offered) event()      {}
func (Updated) event()      {}
func (Messaged) event()     {}
func (Probed) event()       {}
func (Persisted) event()    {}
func (Tick) event()         {}
func (Command) event()      {}

// A Request asks for a change.
type Request interface{ request() }

// Origin says who asks, for events.
type Origin struct{ ClientIP, URI string }

type (
	// CreateApp adds an app; one of that id must not exist.
	CreateApp struct {
		App   spec.Object
		Force bool
		Origin
	}
	// UpdateApps changes apps in one deployment.
	UpdateApps struct {
		Updates []AppUpdate
		Partial bool // absent members stay; otherwise they return to their defaults
		Create  bool // unknown ids are created; otherwise refused
		Force   bool
		Origin
	}
	// DeleteApp removes an app and stops its instances.
	DeleteApp struct {
		ID    string
		Force bool
	}
	// DeleteGroup removes all apps below a group, "/" for all there are.
	DeleteGroup struct {
		ID    string
		Force bool
	}
	// RestartApp replaces all instances of an app.
	RestartApp struct {
		ID    string
		Force bool
	}
	// KillTasks kills tasks; the apps' instances are replaced unless Scale lowers their number.
	KillTasks struct {
		AppID   string   // tasks of this app only, if not ""
		Host    string   // tasks on this host only, if not ""
		TaskIDs []string // these tasks only, if not nil
		Scale   bool
		Force   bool
	}
	// CancelDeployment undoes a deployment or, with Force, stops it where it is.
	CancelDeployment struct {
		ID    string
		Force bool
	}
	// ResetDelay lets a delayed app launch at once.
	ResetDelay struct{ ID string }
)

// An AppUpdate is an object for the app of an absolute id.
type AppUpdate struct {
	ID     string
	Object spec.Object
}

func (CreateApp) request()        {}
func (UpdateApps) request()       {}
func (DeleteApp) request()        {}
func (DeleteGroup) request()      {}
func (RestartApp) request()       {}
func (KillTasks) request()        {}
func (CancelDeployment) request() {}
func (ResetDelay) request()       {}
