package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master"
)

// startMaster runs a real master for the length of a test.
func startMaster(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := master.DefaultConfig()
	cfg.Listener, cfg.Store, cfg.HostnameLookup = ln, memstate.New(), false
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- master.Run(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("master.Run() = %v", err)
		}
	})
	address := ln.Addr().String()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/state") // of the leader
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return address
		}
	}
	t.Fatal("the master does not lead")
	return ""
}

func TestAgainstAMaster(t *testing.T) {
	tests := []struct {
		name, flags    string
		finished, more int // finished at least
	}{
		{"finishing tasks, more than fit", "--agents=3 --frameworks=2 --tasks=50 --task-cpus=2", 0, 100},
		{"tasks that stay", "--agents=2 --frameworks=1 --tasks=40 --no-finish --json", 0, 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append(strings.Fields(tt.flags), "--master="+startMaster(t), "--duration=1mins")
			var out bytes.Buffer
			if err := run(t.Context(), args, nil, &out); err != nil {
				t.Fatalf("run() = %v\n%s", err, &out)
			}
			var r report
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if r.Tasks.Seen != tt.more || r.Rate <= 0 || r.Latency.P50 <= 0 || r.Latency.P99 < r.Latency.P50 || r.ErrorCount != 0 {
				t.Errorf("report = %s", &out)
			}
		})
	}
}

// BenchmarkLaunch is one task from ACCEPT to its acknowledged TASK_RUNNING and
// TASK_FINISHED, with master, agents and frameworks in one process.
func BenchmarkLaunch(b *testing.B) {
	c := defaults()
	c.Master, c.Agents, c.Frameworks, c.Limit = startMaster(b), 20, 4, 10*time.Minute
	c.Tasks = max(b.N/c.Frameworks, 1)
	if err := c.check(); err != nil {
		b.Fatal(err)
	}
	r, err := measure(b.Context(), c)
	if err != nil || r.verdict() != nil {
		b.Fatal(err, r.verdict())
	}
}

func TestLimitEndsTheMeasurement(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"--master=" + startMaster(t), "--agents=0", "--tasks=1", "--duration=1secs"}, nil, &out)
	if err == nil || err.Error() != "1 of 1 tasks were not seen running" {
		t.Errorf("run() = %v, want the task to be missed", err)
	}
	if !strings.Contains(out.String(), errLimit.Error()) {
		t.Errorf("report does not say why: %s", &out)
	}
}

func TestFlagErrors(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", "flag --master is required: give the address of the master, as in --master=127.0.0.1:5050"},
		{"--master=http://a:2181/m", `flag --master: "http://a:2181/m" is not host:port: write it as in 127.0.0.1:5050`},
		{"--master=zk://a:2181", "flag --master: it has no path: end it with one of this cluster's own, such as /mesos"},
		{"--master=a:1 --failover=true --no-finish", "flag --failover: it needs tasks that stay and masters that elect: give --no-finish and --master=zk://host:2181/path"},
		{"--master=a:1 --agents=0 --frameworks=0", "flags --agents and --frameworks are both 0: there is nothing to measure"},
		{"--master=a:1 --task-cpus=0 --task-mem=0", "flags --task-cpus and --task-mem are both 0: a task needs some resource"},
		{"--master=a:1 --task-cpus=-1", "flag --task-cpus: -1 is not an amount: give a number above 0, such as 0.1"},
		{"--master=a:1 --task-mem=NaN", "flag --task-mem: NaN is not an amount: give megabytes, such as 32"},
		{"--master=a:1 --agent-resources=cpus:1 --task-mem=0 --task-cpus=2", "flags --task-cpus and --task-mem: a task does not fit an agent of cpus:1"},
		{"--master=a:1 --no-finish --agents=1 --tasks=400", "flag --tasks: 400 tasks that do not finish are more than the 320 that fit: add --agents"},
		{"--master=a:1 --master-pid=4194304", "flag --master-pid: no process 4194304 to read in /proc"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(tt.args), nil, io.Discard)
			if err == nil || err.Error() != tt.want {
				t.Errorf("run(%s) = %v, want %s", tt.args, err, tt.want)
			}
		})
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0 5"))
	if want := 1750 * time.Millisecond; err != nil || got != want {
		t.Errorf("parseStat() = %v, %v, want %v", got, err, want)
	}
	if _, err := parseStat([]byte("7 (a")); err == nil {
		t.Error("parseStat(cut) = nil, want an error")
	}
}

func TestTaskIDs(t *testing.T) {
	if n, attempt, ok := parseTaskID(taskID(17, 3)); n != 17 || attempt != 3 || !ok {
		t.Errorf("parseTaskID(taskID(17, 3)) = %d, %d, %v", n, attempt, ok)
	}
	for _, id := range []string{"", "t", "t1", "t-1.0", "tx.1"} {
		if _, _, ok := parseTaskID(id); ok {
			t.Errorf("parseTaskID(%q) = true, want false", id)
		}
	}
}
