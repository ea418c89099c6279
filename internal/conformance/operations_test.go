package conformance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/soukproject/souk/internal/callevent"
)

// An operation is one of an ACCEPT of its own, in role dev by principal p1, and
// what its status says. Each finds what those before it made.
type operation struct {
	At, Name  string
	NotYet    string `json:"not_yet"`
	Operation json.RawMessage
	State     string
	Message   string // the whole of it
	Has       string // a part of it, where the rest lists all that was offered
}

// operateAll asks all operations of one framework, and leaves nothing reserved.
func operateAll(t *testing.T, c *cluster, codec callevent.Codec) {
	var a *actor
	rows := readRows[operation](t, "operations.jsonl")
	err := perform(t, c, codec, func(p *play) {
		a = p.framework(`"principal":"p1","roles":["dev"],"capabilities":[{"type":"MULTI_ROLE"},{"type":"RESERVATION_REFINEMENT"},{"type":"SHARED_RESOURCES"},{"type":"PARTITION_AWARE"}]`)
		for i, r := range rows {
			holds(t, c, r.At, r.Name, r.NotYet, func() (err error) {
				defer func() {
					if f, ok := recover().(failed); ok {
						err = f.error
					}
				}()
				return r.say(a, fmt.Sprintf("op-%d", i))
			})
		}
		_ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
		p.ask(`{"type":"DESTROY_VOLUMES","destroy_volumes":{"agent_id":{"value":"$AGENT"},"volumes":[{"name":"disk","type":"SCALAR","scalar":{"value":20},`+
			`"reservations":[{"type":"DYNAMIC","role":"dev","principal":"p1"}],"disk":{"persistence":{"id":"sh","principal":"p1"},"volume":{"container_path":"d","mode":"RW"}},"shared":{}}]}}`, "")
		p.unreserve(`[{"name":"disk","type":"SCALAR","scalar":{"value":500},"reservations":[{"type":"DYNAMIC","role":"dev","principal":"p1"}]}]`)
	})
	if err != nil {
		t.Error(err)
	}
}

func (r *operation) say(a *actor, id string) error {
	a.accepts(strings.Replace(string(r.Operation), "{", fmt.Sprintf(`{"id":{"value":%q},`, id), 1))
	e := a.hears(fmt.Sprintf(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"operation_id":{"value":%q}}}}`, id))
	state, message := e.at("update_operation_status.status.state"), e.at("update_operation_status.status.message")
	if want := a.p.fill(r.Message); state != r.State || message != want && r.Has == "" || !strings.Contains(message, r.Has) {
		return fmt.Errorf("%s %q, want %s %q%s", state, message, r.State, want, r.Has)
	}
	return nil
}
