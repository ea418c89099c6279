// Package scheduler is the SDK for framework schedulers: implement Scheduler,
// hand it to Run, and make calls through the Session that its methods get.
//
// It owns the subscription: finding the leading master, following redirects,
// reconnecting under the same framework id with a random backoff, noticing a
// master that has gone silent, and acknowledging updates. It speaks the v1
// scheduler API, so any Mesos-compatible master will do. It does not own any
// decision, and it keeps nothing on disk: a framework that wants to be the same
// after its process restarted stores Session.FrameworkID and passes it in
// Config.Framework.
//
// A Scheduler's methods are called one at a time from Run's goroutine. A
// Session may be used from any goroutine.
package scheduler

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/leader"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A Scheduler decides what a framework does with its offers. Its methods are
// called one at a time, in the order the master sent the events; their contexts
// end with the subscription. An error of a Session's call that broke with the
// connection makes Run subscribe anew; any other error ends Run, which returns it.
type Scheduler interface {
	// Subscribed is called after each subscription, the first and those after a
	// lost connection. Offers from before are void. It is the place to store
	// the framework's id and to reconcile tasks.
	Subscribed(ctx context.Context, s *Session) error
	// Offers brings resources to use, with Session.Accept, or to give back,
	// with Session.Decline.
	Offers(ctx context.Context, s *Session, offers []*mesospb.Offer) error
	// Update tells a task's state. Returning nil acknowledges it, ErrLater
	// leaves that to Session.Acknowledge. Until acknowledged, an update comes
	// again: what it causes must be harmless to do twice.
	Update(ctx context.Context, s *Session, status *mesospb.TaskStatus) error
}

// The interfaces below are for events that few frameworks care about. A
// Scheduler that implements one gets its events; otherwise they are dropped.
type (
	// A Rescinder hears of offers that are no longer valid.
	Rescinder interface {
		Rescinded(ctx context.Context, s *Session, offer *mesospb.OfferID) error
	}

	// An InverseOfferer is asked to free resources for maintenance.
	InverseOfferer interface {
		InverseOffers(ctx context.Context, s *Session, offers []*mesospb.InverseOffer) error
		InverseOfferRescinded(ctx context.Context, s *Session, offer *mesospb.OfferID) error
	}

	// A Messenger gets what the framework's own executors send to it.
	Messenger interface {
		Message(ctx context.Context, s *Session, m *schedulerpb.Event_Message) error
	}

	// A FailureWatcher hears of agents lost and executors ended.
	FailureWatcher interface {
		Failure(ctx context.Context, s *Session, f *schedulerpb.Event_Failure) error
	}

	// An OperationWatcher gets the outcome of operations that had an id.
	// Returning nil acknowledges it, as with Update.
	OperationWatcher interface {
		OperationUpdate(ctx context.Context, s *Session, status *mesospb.OperationStatus) error
	}

	// A Disconnecter hears that a subscription ended, and why. Calls fail with
	// ErrDisconnected until Subscribed is called again. ctx is Run's.
	Disconnecter interface {
		Disconnected(ctx context.Context, s *Session, why error)
	}
)

// ErrLater is what Update returns to have an update acknowledged neither now
// nor by Run: the framework calls Session.Acknowledge when it is ready.
var ErrLater = errors.New("to be acknowledged later")

// ErrDisconnected is why a call fails while the framework is not subscribed.
var ErrDisconnected = errors.New("not subscribed to a master")

// A MasterError ends Run: the master sent an ERROR event, after which the
// framework cannot go on, for example because another scheduler took over its id.
type MasterError struct{ Message string }

func (e *MasterError) Error() string { return "master ended the subscription: " + e.Message }

// An Error is a call's refusal by the master: HTTP status and text.
type Error = callevent.Error

// A Leader is a master as a detector sees it; only its Address matters here.
type Leader = leader.Leader

// Defaults of what Config leaves at zero.
const (
	DefaultMinBackoff = 500 * time.Millisecond
	DefaultMaxBackoff = 15 * time.Second
)

// Config says who the framework is and where its master. Framework and one of
// Master and Detect are required.
type Config struct {
	// Master is host:port, or several separated by commas, of which any may
	// lead: the others redirect. https://host:port asks for TLS. It may also be
	// zk://[user:password@]host1:port1,host2:port2/path, where masters elect.
	Master string
	// Detect finds the leading master instead: it blocks until the leader
	// differs from previous. The zero Leader stands for none.
	Detect func(ctx context.Context, previous Leader) (Leader, error)

	// Framework needs user and name. With an id it takes over from an earlier
	// scheduler of that id. Run does not change it.
	Framework        *mesospb.FrameworkInfo
	SuppressedRoles  []string                      // subscribe without offers for these
	OfferConstraints *schedulerpb.OfferConstraints // nil: offers of all agents

	// Principal and Secret are the credential for HTTP basic authentication;
	// an empty Principal sends none.
	Principal, Secret string

	JSON bool         // JSON on the wire instead of protobuf
	HTTP *http.Client // nil: one of Run's own
	Log  *zap.Logger  // nil: silent

	// The wait before another attempt is random below a bound that begins at
	// MinBackoff and doubles up to MaxBackoff.
	MinBackoff, MaxBackoff time.Duration
}
