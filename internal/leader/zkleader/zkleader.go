// Package zkleader is leadership by election in ZooKeeper: contenders create
// numbered nodes that go with their session, and the lowest number leads. It
// owns the election and how leaders describe themselves in nodes (Format); it
// does not own sessions or what leaders do.
//
// A contender's session is leased: its leadership is lost when the ensemble
// could not be asked for two thirds of the session's timeout, before another
// contender can win.
package zkleader

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/zookeeper"
)

// retryPause is the time between two attempts after an interruption.
const retryPause = 50 * time.Millisecond

// A Format says how a service's contenders look in ZooKeeper.
type Format struct {
	Label  string // before the ten digits of a node's name
	Encode func(leader.Leader) ([]byte, error)
	Decode func(data []byte) (leader.Leader, error)
}

// Masters is the format of Mesos masters: json.info_0000000012 with the
// MasterInfo as JSON (mesos-api 7.1). Nodes info_…, which masters before 0.24
// wrote as protobuf beside it, are not read: such a master speaks no v1 API.
func Masters() Format {
	return Format{
		Label:  "json.info_",
		Encode: func(l leader.Leader) ([]byte, error) { return l.Info, nil },
		Decode: decodeMaster,
	}
}

// Latches is the format of Curator's leader latch, which Marathon and Chronos
// use: latch-0000000012 with host:port.
func Latches() Format {
	return Format{
		Label:  "latch-",
		Encode: func(l leader.Leader) ([]byte, error) { return []byte(l.Address), nil },
		Decode: func(data []byte) (leader.Leader, error) {
			address := string(data)
			if _, _, err := net.SplitHostPort(address); err != nil {
				return leader.Leader{}, errors.New("it holds no host:port")
			}
			return leader.Leader{ID: address, Address: address}, nil
		},
	}
}

// decodeMaster reads a MasterInfo; old ones have no address but an ip, whose
// bytes are in network order in a little-endian number.
func decodeMaster(data []byte) (leader.Leader, error) {
	var info struct {
		ID      string  `json:"id"`
		IP      uint32  `json:"ip"`
		Port    *uint16 `json:"port"`
		Address struct {
			IP       string `json:"ip"`
			Hostname string `json:"hostname"`
			Port     uint16 `json:"port"`
		} `json:"address"`
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return leader.Leader{}, fmt.Errorf("it holds no MasterInfo as JSON: %w", err)
	}
	host, port := info.Address.IP, info.Address.Port
	if host == "" {
		host = info.Address.Hostname
	}
	if host == "" && info.IP != 0 {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], info.IP)
		host, port = netip.AddrFrom4(b).String(), 5050
		if info.Port != nil {
			port = *info.Port
		}
	}
	if info.ID == "" || host == "" || port == 0 {
		return leader.Leader{}, errors.New("it holds a MasterInfo without id or address")
	}
	return leader.Leader{ID: info.ID, Address: net.JoinHostPort(host, strconv.Itoa(int(port))), Info: data}, nil
}

// Config is one election.
type Config struct {
	URL     zookeeper.URL // below whose path contenders create their nodes
	Timeout time.Duration // of sessions; 0: zookeeper.DefaultTimeout
	Format  Format
	Log     *zap.Logger // nil: silent
}

func (c Config) complete() Config {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c
}

func (c Config) session(lease bool) zookeeper.Config {
	return zookeeper.Config{URL: c.URL, Timeout: c.Timeout, Lease: lease, Log: c.Log}
}

// digits is how many of them ZooKeeper puts behind the name of a sequence.
const digits = 10

// candidates are the contenders' nodes among names, the first in line first.
// Curator's own nodes have an id before the label.
func (c Config) candidates(names []string) []string {
	var found []string
	for _, name := range names {
		if _, ok := c.number(name); ok {
			found = append(found, name)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int {
		na, _ := c.number(a)
		nb, _ := c.number(b)
		return int(na - nb)
	})
	return found
}

// number is a candidate's place in line.
func (c Config) number(name string) (int64, bool) {
	if len(name) < digits {
		return 0, false
	}
	label := name[:len(name)-digits]
	n, err := strconv.ParseInt(name[len(name)-digits:], 10, 64)
	curators := strings.HasPrefix(label, "_c_") && strings.HasSuffix(label, "-"+c.Format.Label)
	return n, err == nil && n >= 0 && (label == c.Format.Label || curators)
}

// again repeats ask while the connection breaks, until ctx ends.
func again(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if !errors.Is(err, zookeeper.ErrInterrupted) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryPause):
		}
	}
}
