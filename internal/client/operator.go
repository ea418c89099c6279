package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// operate makes a call of the operator API without arguments and returns the
// answer as the master wrote it.
func (c *connection) operate(ctx context.Context, kind masterpb.Call_Type) ([]byte, error) {
	if err := c.locate(ctx); err != nil {
		return nil, err
	}
	req, err := post(c.master, &masterpb.Call{Type: &kind}, callevent.JSON)
	if err != nil {
		return nil, err
	}
	return exchange(ctx, c.credential.Client(), req, "the master at "+c.master, "is it running? name another with --master=host:port")
}

// ask is operate for an answer that is read.
func (c *connection) ask(ctx context.Context, kind masterpb.Call_Type) (*masterpb.Response, error) {
	body, err := c.operate(ctx, kind)
	if err != nil {
		return nil, err
	}
	answer := &masterpb.Response{}
	if err := callevent.Unmarshal(callevent.JSON, body, answer); err != nil {
		return nil, fmt.Errorf("read the answer of the master at %s: %w: is it of the same version as this program?", c.master, err)
	}
	return answer, nil
}

// list prints the answer to a call: as it is, or the rows that write makes of it.
func (c *connection) list(ctx context.Context, kind masterpb.Call_Type, out io.Writer, write func(*masterpb.Response, *table)) error {
	if c.json {
		body, err := c.operate(ctx, kind)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", body)
		}
		return err
	}
	answer, err := c.ask(ctx, kind)
	if err != nil {
		return err
	}
	var t table
	write(answer, &t)
	return t.write(out)
}

// post is a request for one call of the operator API at host:port.
func post(address string, call proto.Message, codec callevent.Codec) (*http.Request, error) {
	body, err := callevent.Marshal(codec, call)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+address+"/api/v1", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", codec.MediaType())
	req.Header.Set("Accept", codec.MediaType())
	return req, nil
}

// An agentAPI is the operator API of one agent.
type agentAPI struct {
	address string
	http    *http.Client
}

func (a agentAPI) peer() string { return "the agent at " + a.address }

const agentRemedy = "can this machine reach it?"

func (a agentAPI) ask(ctx context.Context, call *agentpb.Call) (*agentpb.Response, error) {
	req, err := post(a.address, call, callevent.Protobuf)
	if err != nil {
		return nil, err
	}
	body, err := exchange(ctx, a.http, req, a.peer(), agentRemedy)
	if err != nil {
		return nil, err
	}
	answer := &agentpb.Response{}
	if len(body) == 0 {
		return answer, nil
	}
	if err := callevent.Unmarshal(callevent.Protobuf, body, answer); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", a.peer(), err)
	}
	return answer, nil
}

// agentAddress is where the agent of an id listens.
func (c *connection) agentAddress(ctx context.Context, id string) (agentAPI, error) {
	answer, err := c.ask(ctx, masterpb.Call_GET_AGENTS)
	if err != nil {
		return agentAPI{}, err
	}
	for _, a := range answer.GetGetAgents().GetAgents() {
		if a.GetAgentInfo().GetId().GetValue() == id {
			return agentAPI{addressOf(a), c.credential.Client()}, nil
		}
	}
	return agentAPI{}, fmt.Errorf("agent %s is not registered: what ran there cannot be reached", id)
}

// addressOf prefers the address that the agent announced to its name.
func addressOf(a *masterpb.Response_GetAgents_Agent) string {
	if _, address, ok := strings.Cut(a.GetPid(), "@"); ok {
		return address
	}
	return net.JoinHostPort(a.GetAgentInfo().GetHostname(), strconv.Itoa(int(a.GetAgentInfo().GetPort())))
}

// missing tells the refusal of what is not there.
func missing(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusNotFound
}

// scalars adds up resources by name; ranges and sets count their members.
func scalars(all []*mesospb.Resource) map[string]float64 {
	sum := make(map[string]float64)
	for _, r := range all {
		switch r.GetType() {
		case mesospb.Value_SCALAR:
			sum[r.GetName()] += r.GetScalar().GetValue()
		case mesospb.Value_RANGES:
			for _, span := range r.GetRanges().GetRange() {
				sum[r.GetName()] += float64(span.GetEnd()-span.GetBegin()) + 1
			}
		case mesospb.Value_SET:
			sum[r.GetName()] += float64(len(r.GetSet().GetItem()))
		}
	}
	return sum
}
