package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/soukproject/souk/framework/frameworktest"
	"github.com/soukproject/souk/framework/scheduler"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// recorder writes down its events and does what its hooks say.
type recorder struct {
	events    chan string
	onOffers  func(*scheduler.Session, []*mesospb.Offer) error
	onUpdate  func(*mesospb.TaskStatus) error
	onSession func(*scheduler.Session)
	ctx       context.Context // of the latest subscription
}

func newRecorder() *recorder { return &recorder{events: make(chan string, 100)} }

func (r *recorder) Subscribed(ctx context.Context, s *scheduler.Session) error {
	r.ctx = ctx
	if r.onSession != nil {
		r.onSession(s)
	}
	r.events <- "subscribed " + s.FrameworkID()
	return nil
}

func (r *recorder) Offers(_ context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	for _, o := range offers {
		r.events <- "offer " + o.GetId().GetValue()
	}
	if r.onOffers != nil {
		return r.onOffers(s, offers)
	}
	return nil
}

func (r *recorder) Update(_ context.Context, _ *scheduler.Session, u *mesospb.TaskStatus) error {
	r.events <- fmt.Sprint("update ", u.GetTaskId().GetValue(), " ", u.GetState())
	if r.onUpdate != nil {
		return r.onUpdate(u)
	}
	return nil
}

func (r *recorder) Disconnected(ctx context.Context, _ *scheduler.Session, why error) {
	text := "disconnected: " + why.Error()
	if ctx.Err() != nil {
		text += ", with a context that is over"
	}
	r.events <- text
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := <-r.events; got != w {
			t.Errorf("event = %q, want %q", got, w)
		}
	}
}

// start runs a scheduler in the background until the bubble ends.
func start(t *testing.T, cfg scheduler.Config, s scheduler.Scheduler) <-chan error {
	t.Helper()
	ended, done := make(chan error, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		ended <- scheduler.Run(ctx, cfg, s)
	}()
	return ended
}

func bubble(t *testing.T, f func(t *testing.T, m *frameworktest.Master, r *recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, frameworktest.New(t), newRecorder()) })
}

var task = &mesospb.TaskInfo{
	Name: proto.String("t1"), TaskId: &mesospb.TaskID{Value: proto.String("t1")}, AgentId: &mesospb.AgentID{Value: proto.String("a1")},
}

func TestLifeOfATask(t *testing.T) {
	for _, json := range []bool{false, true} {
		t.Run(fmt.Sprintf("json=%v", json), func(t *testing.T) {
			bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
				cfg := m.Config("web", "prod")
				cfg.JSON, cfg.SuppressedRoles = json, []string{"prod"}
				r.onOffers = func(s *scheduler.Session, offers []*mesospb.Offer) error {
					return s.Accept(t.Context(), scheduler.OfferIDs(offers...), scheduler.RefuseFor(1), scheduler.Launch(task))
				}
				start(t, cfg, r)
				r.want(t, "subscribed test-master-0000")
				sub := m.Expect(schedulerpb.Call_SUBSCRIBE).GetSubscribe()
				got := sub.GetFrameworkInfo()
				got.Checkpoint, got.FailoverTimeout = nil, nil // JSON spells defaults out
				if d := cmp.Diff(cfg.Framework, got, protocmp.Transform()); d != "" {
					t.Errorf("subscribed with (-want +got):\n%s", d)
				}
				if roles := sub.GetSuppressedRoles(); !cmp.Equal(roles, cfg.SuppressedRoles) {
					t.Errorf("suppressed roles = %v, want %v", roles, cfg.SuppressedRoles)
				}

				offer := m.Offer("a1", "prod", frameworktest.Scalar("cpus", 1))
				r.want(t, "offer offer-1")
				accept := m.Next()
				want := &schedulerpb.Call{
					FrameworkId: &mesospb.FrameworkID{Value: proto.String("test-master-0000")},
					Type:        schedulerpb.Call_ACCEPT.Enum(),
					Accept: &schedulerpb.Call_Accept{
						OfferIds: []*mesospb.OfferID{offer.Id}, Filters: scheduler.RefuseFor(1),
						Operations: []*mesospb.Offer_Operation{scheduler.Launch(task)},
					},
				}
				if d := cmp.Diff(want, accept, protocmp.Transform()); d != "" {
					t.Errorf("accepted with (-want +got):\n%s", d)
				}

				status := m.Update(task, mesospb.TaskState_TASK_RUNNING)
				r.want(t, "update t1 TASK_RUNNING")
				ack := m.Next().GetAcknowledge()
				wantAck := &schedulerpb.Call_Acknowledge{AgentId: task.AgentId, TaskId: task.TaskId, Uuid: status.Uuid}
				if d := cmp.Diff(wantAck, ack, protocmp.Transform()); d != "" {
					t.Errorf("acknowledged with (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestWhatIsAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		var session *scheduler.Session
		r.onSession = func(s *scheduler.Session) { session = s }
		r.onUpdate = func(u *mesospb.TaskStatus) error {
			if u.GetState() == mesospb.TaskState_TASK_STARTING {
				return scheduler.ErrLater
			}
			return nil
		}
		start(t, m.Config("web", "prod"), r)
		m.Expect(schedulerpb.Call_SUBSCRIBE)
		r.want(t, "subscribed test-master-0000")

		m.Status(&mesospb.TaskStatus{TaskId: task.TaskId, State: mesospb.TaskState_TASK_LOST.Enum()})
		starting := m.Update(task, mesospb.TaskState_TASK_STARTING)
		r.want(t, "update t1 TASK_LOST", "update t1 TASK_STARTING")
		synctest.Wait()
		m.Quiet()

		if err := session.Acknowledge(t.Context(), starting); err != nil {
			t.Errorf("Acknowledge() = %v", err)
		}
		if got := m.Next().GetAcknowledge().GetUuid(); string(got) != string(starting.Uuid) {
			t.Errorf("acknowledged %x, want %x", got, starting.Uuid)
		}
		if err := session.Acknowledge(t.Context(), &mesospb.TaskStatus{TaskId: task.TaskId}); err != nil {
			t.Errorf("Acknowledge(without uuid) = %v, want nil", err)
		}
		m.Quiet()
	})
}

func TestReconnectsUnderItsID(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		start(t, m.Config("web", "prod"), r)
		if id := m.Expect(schedulerpb.Call_SUBSCRIBE).FrameworkId; id != nil {
			t.Errorf("first subscription has id %v, want none", id)
		}
		r.want(t, "subscribed test-master-0000")
		begin := time.Now()
		m.Disconnect()
		again := m.Expect(schedulerpb.Call_SUBSCRIBE)
		for _, id := range []*mesospb.FrameworkID{again.GetFrameworkId(), again.GetSubscribe().GetFrameworkInfo().GetId()} {
			if id.GetValue() != "test-master-0000" {
				t.Errorf("second subscription has id %v, want test-master-0000", id)
			}
		}
		if wait := time.Since(begin); wait >= scheduler.DefaultMinBackoff {
			t.Errorf("waited %v after a connection that worked, want less than %v", wait, scheduler.DefaultMinBackoff)
		}
		r.want(t, "disconnected: master closed the connection", "subscribed test-master-0000")
	})
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		var attempts []time.Time
		m.Refuse = func(*schedulerpb.Call) error {
			attempts = append(attempts, time.Now())
			if len(attempts) < 40 {
				return &scheduler.Error{Code: http.StatusServiceUnavailable, Text: "No leader elected"}
			}
			return nil
		}
		start(t, m.Config("web", "prod"), r)
		r.want(t, "subscribed test-master-0000")
		longest, total := time.Duration(0), attempts[39].Sub(attempts[0])
		for i := range 39 {
			longest = max(longest, attempts[i+1].Sub(attempts[i]))
		}
		if longest > scheduler.DefaultMaxBackoff || total < 39*time.Second {
			t.Errorf("39 waits: longest %v, together %v; want at most %v each, and growing", longest, total, scheduler.DefaultMaxBackoff)
		}
	})
}

func TestSilentMasterIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		m.Interval = -1
		begin := time.Now()
		start(t, m.Config("web", "prod"), r)
		r.want(t, "subscribed test-master-0000", "disconnected: master missed its heartbeats")
		if got := time.Since(begin); got != 75*time.Second {
			t.Errorf("gave up after %v, want 75s", got)
		}
	})
}

func TestHeartbeatsKeepASubscription(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		m.Interval = 2 * time.Second
		start(t, m.Config("web", "prod"), r)
		r.want(t, "subscribed test-master-0000")
		time.Sleep(time.Hour)
		select {
		case e := <-r.events:
			t.Errorf("event = %q, want none for an hour", e)
		default:
		}
	})
}

func TestSlowSchedulerIsNotASilentMaster(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		r.onOffers = func(*scheduler.Session, []*mesospb.Offer) error {
			time.Sleep(time.Hour)
			return nil
		}
		m.Interval = -1
		start(t, m.Config("web", "prod"), r)
		r.want(t, "subscribed test-master-0000")
		m.Offer("a1", "prod")
		time.Sleep(time.Hour + time.Second)
		m.Offer("a2", "prod")
		r.want(t, "offer offer-1", "offer offer-2")
	})
}

func TestWhatEndsRun(t *testing.T) {
	refuse := func(code int, text string) func(m *frameworktest.Master, r *recorder) {
		return func(m *frameworktest.Master, r *recorder) {
			m.Refuse = func(*schedulerpb.Call) error { return &scheduler.Error{Code: code, Text: text} }
		}
	}
	tests := []struct {
		name string
		do   func(m *frameworktest.Master, r *recorder)
		want string
	}{
		{"ERROR event", func(m *frameworktest.Master, r *recorder) {
			r.onSession = func(*scheduler.Session) { m.Error("Framework failed over") }
		}, "master ended the subscription: Framework failed over"},
		{"error of a method", func(m *frameworktest.Master, r *recorder) {
			r.onUpdate = func(*mesospb.TaskStatus) error { return errors.New("disk full") }
			r.onSession = func(*scheduler.Session) { m.Update(task, mesospb.TaskState_TASK_RUNNING) }
		}, "update of task t1: disk full"},
		{"bad credential", refuse(401, ""), "subscribe: 401 Unauthorized."},
		{"bad framework", refuse(400, "Failed to validate scheduler::Call: no"), "subscribe: Failed to validate scheduler::Call: no"},
		{"call refused for what it says", func(m *frameworktest.Master, r *recorder) {
			m.Script(func(*schedulerpb.Call) error { return &scheduler.Error{Code: 400, Text: "Not a valid UUID"} })
			r.onOffers = func(s *scheduler.Session, _ []*mesospb.Offer) error { return s.Revive(context.Background()) }
			r.onSession = func(*scheduler.Session) { m.Offer("a1", "prod") }
		}, "revive: Not a valid UUID"},
		{"call without a required field", func(m *frameworktest.Master, r *recorder) {
			r.onOffers = func(s *scheduler.Session, _ []*mesospb.Offer) error {
				return s.Kill(context.Background(), nil, nil, nil)
			}
			r.onSession = func(*scheduler.Session) { m.Offer("a1", "prod") }
		}, "kill: proto: required field mesos.v1.scheduler.Call.Kill.task_id not set"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
				tt.do(m, r)
				err := <-start(t, m.Config("web", "prod"), r)
				if err == nil || strings.ReplaceAll(err.Error(), "\u00a0", " ") != tt.want { // protobuf varies its spaces
					t.Errorf("Run() = %v, want %s", err, tt.want)
				}
			})
		})
	}
}

func TestBrokenCallLeadsToAnotherSubscription(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		m.Script(func(*schedulerpb.Call) error { return &scheduler.Error{Code: 400, Text: "Framework cannot be found"} })
		r.onOffers = func(s *scheduler.Session, offers []*mesospb.Offer) error {
			return s.Decline(t.Context(), scheduler.OfferIDs(offers...), nil)
		}
		start(t, m.Config("web", "prod"), r)
		r.want(t, "subscribed test-master-0000")
		m.Offer("a1", "prod")
		r.want(t, "offer offer-1", "disconnected: decline: Framework cannot be found", "subscribed test-master-0000")
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := frameworktest.New(t), newRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- scheduler.Run(ctx, m.Config("web", "prod"), r) }()
		r.want(t, "subscribed test-master-0000")
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v, want %v", err, context.Canceled)
		}
	})
}

func TestTeardownEndsRunWithoutAnError(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		var s *scheduler.Session
		r.onSession = func(got *scheduler.Session) { s = got }
		ended := start(t, m.Config("web", "prod"), r)
		r.want(t, "subscribed test-master-0000")
		torn := make(chan error)
		for range 3 { // as several goroutines may find out that all is done
			go func() { torn <- s.Teardown(r.ctx) }()
		}
		for range 3 {
			if err := <-torn; err != nil {
				t.Errorf("Teardown() = %v, want nil", err)
			}
		}
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		if err := s.Revive(t.Context()); !errors.Is(err, scheduler.ErrDisconnected) {
			t.Errorf("Revive() afterwards = %v, want %v", err, scheduler.ErrDisconnected)
		}
	})
}

func TestUpdateFrameworkOutlivesTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		var s *scheduler.Session
		r.onSession = func(got *scheduler.Session) { s = got }
		cfg := m.Config("web", "prod")
		start(t, cfg, r)
		m.Expect(schedulerpb.Call_SUBSCRIBE)
		r.want(t, "subscribed test-master-0000")
		info := proto.CloneOf(cfg.Framework)
		info.Roles = []string{"prod", "dev"}
		if err := s.UpdateFramework(t.Context(), &schedulerpb.Call_UpdateFramework{FrameworkInfo: info, SuppressedRoles: []string{"dev"}}); err != nil {
			t.Fatalf("UpdateFramework() = %v", err)
		}
		if got := m.Next().GetUpdateFramework().GetFrameworkInfo().GetId().GetValue(); got != "test-master-0000" {
			t.Errorf("updated with id %q, want test-master-0000", got)
		}
		m.Disconnect()
		sub := m.Expect(schedulerpb.Call_SUBSCRIBE).GetSubscribe()
		if got := fmt.Sprint(sub.GetFrameworkInfo().GetRoles(), sub.GetSuppressedRoles()); got != "[prod dev] [dev]" {
			t.Errorf("subscribed with %s, want [prod dev] [dev]", got)
		}
	})
}

func TestDetectedMasters(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		leaders := make(chan scheduler.Leader)
		cfg := m.Config("web", "prod")
		cfg.Master = ""
		cfg.Detect = func(ctx context.Context, previous scheduler.Leader) (scheduler.Leader, error) {
			select {
			case l := <-leaders:
				return l, nil
			case <-ctx.Done():
				return scheduler.Leader{}, ctx.Err()
			}
		}
		start(t, cfg, r)
		leaders <- scheduler.Leader{ID: "1", Address: frameworktest.Address}
		r.want(t, "subscribed test-master-0000")
		leaders <- scheduler.Leader{} // none for a while
		r.want(t, "disconnected: another master leads")
		leaders <- scheduler.Leader{ID: "2", Address: frameworktest.Address}
		r.want(t, "subscribed test-master-0000")
	})
}

// TestANewLeaderIsNotWaitedFor: refusals by the master before do not count against
// the next one.
func TestANewLeaderIsNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		leaders, refused := make(chan scheduler.Leader), make(chan struct{}, 100)
		elected := false
		m.Refuse = func(*schedulerpb.Call) error {
			if elected {
				return nil
			}
			refused <- struct{}{}
			return &scheduler.Error{Code: http.StatusServiceUnavailable, Text: "Master has not finished recovery"}
		}
		cfg := m.Config("web", "prod")
		cfg.Master, cfg.MinBackoff, cfg.MaxBackoff = "", time.Second, time.Hour
		cfg.Detect = func(ctx context.Context, previous scheduler.Leader) (scheduler.Leader, error) {
			select {
			case l := <-leaders:
				return l, nil
			case <-ctx.Done():
				return scheduler.Leader{}, ctx.Err()
			}
		}
		start(t, cfg, r)
		leaders <- scheduler.Leader{ID: "1", Address: frameworktest.Address}
		for range 12 { // its waits are minutes by now
			<-refused
		}
		synctest.Wait()
		elected = true
		began := time.Now()
		leaders <- scheduler.Leader{ID: "2", Address: frameworktest.Address}
		r.want(t, "subscribed test-master-0000")
		if took := time.Since(began); took > time.Second {
			t.Errorf("the next leader was asked after %v, want a second at most", took)
		}
	})
}

func TestGoesThroughTheListOfMasters(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		var asked []string
		inner := m.HTTP().Transport
		cfg := m.Config("web", "prod")
		cfg.Master = "m1.test:5050, m2.test:5050,https://m3.test:443"
		cfg.HTTP = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			asked = append(asked, req.URL.Scheme+"://"+req.URL.Host)
			if len(asked) < 4 {
				return nil, errors.New("connection refused")
			}
			req.URL.Scheme = "http"
			return inner.RoundTrip(req)
		})}
		start(t, cfg, r)
		r.want(t, "subscribed test-master-0000")
		if got := strings.Join(asked, " "); got != "http://m1.test:5050 http://m2.test:5050 https://m3.test:443 http://m1.test:5050" {
			t.Errorf("asked %s", got)
		}
	})
}

func TestBasicAuthentication(t *testing.T) {
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		seen := make(chan string, 10)
		inner := m.HTTP().Transport
		cfg := m.Config("web", "prod")
		cfg.Principal, cfg.Secret = "web", "s3cret"
		cfg.HTTP = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			user, secret, _ := req.BasicAuth()
			seen <- user + " " + secret
			return inner.RoundTrip(req)
		})}
		r.onSession = func(s *scheduler.Session) {
			if err := s.Revive(t.Context()); err != nil {
				t.Errorf("Revive() = %v", err)
			}
		}
		start(t, cfg, r)
		r.want(t, "subscribed test-master-0000")
		for range 2 {
			if got := <-seen; got != "web s3cret" {
				t.Errorf("credential = %q, want web s3cret", got)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestConfigErrors(t *testing.T) {
	info := &mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n")}
	never := func(ctx context.Context, _ scheduler.Leader) (scheduler.Leader, error) {
		return scheduler.Leader{}, errors.New("never")
	}
	tests := []struct {
		name string
		cfg  scheduler.Config
		want string
	}{
		{"no framework", scheduler.Config{Master: "a:1"}, "scheduler: Config.Framework needs a name and a user"},
		{"no master", scheduler.Config{Framework: info}, "scheduler: Config.Master: '' is not host:port"},
		{"no port", scheduler.Config{Framework: info, Master: "host"}, "scheduler: Config.Master: 'host' is not host:port"},
		{"a path", scheduler.Config{Framework: info, Master: "host:1/api"}, "scheduler: Config.Master: 'http://host:1/api' has a path; give host:port alone"},
		{"zookeeper", scheduler.Config{Framework: info, Master: "zk://host:2181"}, "scheduler: Config.Master: it has no path: end it with one of this cluster's own, such as /mesos"},
		{"both", scheduler.Config{Framework: info, Master: "a:1", Detect: never}, "scheduler: Config has both Master and Detect; set one"},
		{"detector fails", scheduler.Config{Framework: info, Detect: never}, "detect master: never"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := scheduler.Run(t.Context(), tt.cfg, newRecorder()); err == nil || err.Error() != tt.want {
				t.Errorf("Run() = %v, want %s", err, tt.want)
			}
		})
	}
}

// rare implements the optional interfaces.
type rare struct{ *recorder }

func (r rare) Rescinded(_ context.Context, _ *scheduler.Session, id *mesospb.OfferID) error {
	r.events <- "rescinded " + id.GetValue()
	return nil
}

func (r rare) InverseOffers(_ context.Context, _ *scheduler.Session, offers []*mesospb.InverseOffer) error {
	r.events <- "inverse " + offers[0].GetId().GetValue()
	return nil
}

func (r rare) InverseOfferRescinded(_ context.Context, _ *scheduler.Session, id *mesospb.OfferID) error {
	r.events <- "inverse rescinded " + id.GetValue()
	return nil
}

func (r rare) Message(_ context.Context, _ *scheduler.Session, m *schedulerpb.Event_Message) error {
	r.events <- "message " + string(m.GetData())
	return nil
}

func (r rare) Failure(_ context.Context, _ *scheduler.Session, f *schedulerpb.Event_Failure) error {
	r.events <- "failure " + f.GetAgentId().GetValue()
	return nil
}

func (r rare) OperationUpdate(_ context.Context, _ *scheduler.Session, u *mesospb.OperationStatus) error {
	r.events <- "operation " + u.GetOperationId().GetValue()
	return nil
}

func TestRareEvents(t *testing.T) {
	id := func(v string) *mesospb.OfferID { return &mesospb.OfferID{Value: proto.String(v)} }
	agent, executor := &mesospb.AgentID{Value: proto.String("a1")}, &mesospb.ExecutorID{Value: proto.String("e1")}
	events := []*schedulerpb.Event{
		{Type: schedulerpb.Event_RESCIND.Enum(), Rescind: &schedulerpb.Event_Rescind{OfferId: id("o1")}},
		{Type: schedulerpb.Event_INVERSE_OFFERS.Enum(), InverseOffers: &schedulerpb.Event_InverseOffers{InverseOffers: []*mesospb.InverseOffer{
			{Id: id("i1"), FrameworkId: &mesospb.FrameworkID{Value: proto.String("f")}, Unavailability: &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: proto.Int64(1)}}}}}},
		{Type: schedulerpb.Event_RESCIND_INVERSE_OFFER.Enum(), RescindInverseOffer: &schedulerpb.Event_RescindInverseOffer{InverseOfferId: id("i1")}},
		{Type: schedulerpb.Event_MESSAGE.Enum(), Message: &schedulerpb.Event_Message{AgentId: agent, ExecutorId: executor, Data: []byte("hi")}},
		{Type: schedulerpb.Event_FAILURE.Enum(), Failure: &schedulerpb.Event_Failure{AgentId: agent}},
		{Type: schedulerpb.Event_UPDATE_OPERATION_STATUS.Enum(), UpdateOperationStatus: &schedulerpb.Event_UpdateOperationStatus{Status: &mesospb.OperationStatus{
			OperationId: &mesospb.OperationID{Value: proto.String("op1")}, State: mesospb.OperationState_OPERATION_FINISHED.Enum(),
			Uuid: &mesospb.UUID{Value: []byte("0123456789abcdef")}, AgentId: agent}}},
	}
	want := []string{"rescinded o1", "inverse i1", "inverse rescinded i1", "message hi", "failure a1", "operation op1"}
	t.Run("wanted", func(t *testing.T) {
		bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
			start(t, m.Config("web", "prod"), rare{r})
			r.want(t, "subscribed test-master-0000")
			for _, e := range events {
				m.Send(e)
			}
			r.want(t, want...)
			if got := m.Expect(schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS).GetAcknowledgeOperationStatus(); got.GetOperationId().GetValue() != "op1" || string(got.GetUuid()) != "0123456789abcdef" {
				t.Errorf("acknowledged %v", got)
			}
		})
	})
	t.Run("not wanted", func(t *testing.T) {
		bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
			start(t, m.Config("web", "prod"), r)
			r.want(t, "subscribed test-master-0000")
			for _, e := range events {
				m.Send(e)
			}
			m.Offer("a1", "prod")
			r.want(t, "offer offer-1")
		})
	})
}

// TestCalls checks that every call reaches the master in the form it has there.
func TestCalls(t *testing.T) {
	ctx := context.Background()
	offers := []*mesospb.OfferID{{Value: proto.String("o1")}}
	agent, executor := task.AgentId, &mesospb.ExecutorID{Value: proto.String("e1")}
	tests := []struct {
		call func(s *scheduler.Session) error
		want string
	}{
		{func(s *scheduler.Session) error { return s.Decline(ctx, offers, scheduler.RefuseFor(60)) }, `type:DECLINE decline:{offer_ids:{value:"o1"} filters:{refuse_seconds:60}}`},
		{func(s *scheduler.Session) error { return s.AcceptInverseOffers(ctx, offers, nil) }, `type:ACCEPT_INVERSE_OFFERS accept_inverse_offers:{inverse_offer_ids:{value:"o1"}}`},
		{func(s *scheduler.Session) error { return s.DeclineInverseOffers(ctx, offers, nil) }, `type:DECLINE_INVERSE_OFFERS decline_inverse_offers:{inverse_offer_ids:{value:"o1"}}`},
		{func(s *scheduler.Session) error { return s.Kill(ctx, task.TaskId, agent, nil) }, `type:KILL kill:{task_id:{value:"t1"} agent_id:{value:"a1"}}`},
		{func(s *scheduler.Session) error { return s.Shutdown(ctx, executor, agent) }, `type:SHUTDOWN shutdown:{executor_id:{value:"e1"} agent_id:{value:"a1"}}`},
		{func(s *scheduler.Session) error { return s.Suppress(ctx) }, `type:SUPPRESS suppress:{}`},
		{func(s *scheduler.Session) error { return s.Revive(ctx, "prod") }, `type:REVIVE revive:{roles:"prod"}`},
		{func(s *scheduler.Session) error { return s.Reconcile(ctx) }, `type:RECONCILE reconcile:{}`},
		{func(s *scheduler.Session) error { return s.Message(ctx, executor, agent, []byte("hi")) }, `type:MESSAGE message:{agent_id:{value:"a1"} executor_id:{value:"e1"} data:"hi"}`},
	}
	bubble(t, func(t *testing.T, m *frameworktest.Master, r *recorder) {
		sessions := make(chan *scheduler.Session, 1)
		r.onSession = func(s *scheduler.Session) { sessions <- s }
		start(t, m.Config("web", "prod"), r)
		s := <-sessions
		m.Expect(schedulerpb.Call_SUBSCRIBE)
		for _, tt := range tests {
			if err := tt.call(s); err != nil {
				t.Errorf("call = %v, want nil (%s)", err, tt.want)
				continue
			}
			got := m.Next()
			if id := got.GetFrameworkId().GetValue(); id != "test-master-0000" {
				t.Errorf("framework id of %v = %q", got.GetType(), id)
			}
			got.FrameworkId = nil
			if text := strings.ReplaceAll(got.String(), "  ", " "); text != tt.want {
				t.Errorf("call = %s, want %s", text, tt.want)
			}
		}
	})
}
