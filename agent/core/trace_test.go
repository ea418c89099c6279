package core

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata")

// TestTraces plays the scenarios in testdata: blocks of commands, a line of
// dashes, and what the agent wants done. Commands are in play.
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %v, %v, want traces", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			want := string(must(t, data, err))
			got := replay(t, want)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s plays as:\n%s\nwant:\n%s", file, got, want)
			}
		})
	}
}

// replay returns the trace as it plays out now.
func replay(t *testing.T, trace string) string {
	w := newWorld(t, testConfig())
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimRight(trace, "\n"), "\n\n") {
		commands, _, _ := strings.Cut(block, "\n----")
		out.WriteString(commands + "\n----\n")
		for line := range strings.SplitSeq(commands, "\n") {
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			for _, e := range play(t, w, line) {
				out.WriteString(w.show(e) + "\n")
			}
		}
		out.WriteString("\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// play performs one command.
func play(t *testing.T, w *world, line string) []Effect {
	t.Helper()
	words := strings.Fields(line)
	arg := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch words[0] {
	case "crash":
		return w.boot(arg(1) == "rebooted")
	case "connect":
		return w.connect()
	case "registered":
		return w.deliver(registeredEvent(arg(1)))
	case "disconnected":
		return w.step(Disconnected{Session: w.session})
	case "write": // all, or the oldest few
		n, err := strconv.Atoi(cmp.Or(arg(1), strconv.Itoa(len(w.pending))))
		return w.write(must(t, n, err))
	case "tick":
		d, err := time.ParseDuration(arg(1))
		w.now = w.now.Add(must(t, d, err))
		return w.step(Tick{})
	case "ping":
		return w.deliver(&linkpb.Event{Type: linkpb.Event_PING.Enum()})
	case "again": // the last event's number comes again
		w.seq--
		return w.deliver(&linkpb.Event{Type: linkpb.Event_PING.Enum()})
	case "gap":
		w.seq++
		return w.deliver(&linkpb.Event{Type: linkpb.Event_PING.Enum()})
	case "run":
		ev := runEvent(playFramework(words), playTask(t, words))
		if strings.Contains(line, " launch") {
			ev.RunTask.LaunchExecutor = new(true)
		}
		return w.deliver(ev)
	case "run-group": // fw t1,t2 as run
		var tasks []*mesospb.TaskInfo
		for id := range strings.SplitSeq(arg(2), ",") {
			tasks = append(tasks, playTask(t, append([]string{words[0], words[1], id}, words[3:]...)))
		}
		return w.deliver(runGroupEvent(playFramework(words), tasks, strings.Contains(line, " launch")))
	case "subscribe-executor": // fw executor, the tasks it has
		return w.subscribe(arg(1), arg(2), words[3:])
	case "says": // fw executor task state n
		n, err := strconv.Atoi(arg(5))
		return w.says(arg(1), arg(2), arg(3), mesospb.TaskState(mesospb.TaskState_value["TASK_"+arg(4)]), byte(must(t, n, err)))
	case "hang-up": // the connection of the last stream breaks
		x := w.agent.containers[w.container(arg(1))]
		own := x.executor.own
		delete(w.streams, own.stream)
		return w.step(ExecutorDisconnected{Stream: own.stream})
	case "probed": // what came of the oldest attempt
		p := w.probes[0]
		w.probes = w.probes[1:]
		return w.step(Probed{Container: p.Run.Container, Number: p.Number, Outcome: playOutcome(t, words[1:])})
	case "message": // fw executor data, from the scheduler
		return w.deliver(&linkpb.Event{Type: linkpb.Event_EXECUTOR_MESSAGE.Enum(), ExecutorMessage: &linkpb.ExecutorMessage{
			FrameworkId: &mesospb.FrameworkID{Value: &words[1]}, ExecutorId: &mesospb.ExecutorID{Value: &words[2]}, Data: []byte(arg(3)),
		}})
	case "shutdown-executor":
		return w.deliver(&linkpb.Event{Type: linkpb.Event_SHUTDOWN_EXECUTOR.Enum(), ShutdownExecutor: &linkpb.ShutdownExecutor{
			FrameworkId: &mesospb.FrameworkID{Value: &words[1]}, ExecutorId: &mesospb.ExecutorID{Value: &words[2]},
		}})
	case "kill":
		return w.deliver(killEvent(arg(1), arg(2), playGrace(t, arg(3))))
	case "ack":
		inbox := w.inbox[mesos.TaskID(arg(2))]
		if len(inbox) == 0 {
			t.Fatalf("%s: no update was sent", line)
		}
		return w.ack(arg(1), inbox[len(inbox)-1])
	case "shutdown":
		return w.deliver(shutdownFrameworkEvent(arg(1)))
	case "shutdown-agent":
		return w.deliver(&linkpb.Event{Type: linkpb.Event_SHUTDOWN.Enum(), Shutdown: &linkpb.Shutdown{Message: new("gone")}})
	case "launched":
		id := w.container(arg(1))
		if w.boxes[id] == nil {
			t.Fatalf("%s: its launch was not asked for", line)
		}
		w.boxes[id].asked, w.boxes[id].running = false, true
		return w.step(Launched{Container: id, PID: 42})
	case "started": // as launched, but the agent does not hear of it
		id := w.container(arg(1))
		w.boxes[id].asked, w.boxes[id].running = false, true
		return nil
	case "launchfailed":
		id := w.container(arg(1))
		delete(w.boxes, id)
		return w.step(LaunchFailed{Container: id, Why: strings.Join(words[2:], " ")})
	case "exited":
		id := w.container(arg(1))
		end := playEnd(t, words[2:])
		if b := w.boxes[id]; b != nil && !b.running {
			end = b.end // as when something around it ended
		}
		w.end(id, end)
		return w.step(Exited{Container: id, End: end})
	case "exceeds":
		return w.step(Exceeded{
			Container: w.container(arg(1)), Reason: mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_DISK, Why: strings.Join(words[2:], " "),
			Resources: []*mesospb.Resource{scalarResource("disk", 10)},
		})
	case "destroyed":
		id := w.container(arg(1))
		delete(w.boxes, id)
		return w.step(Destroyed{Container: id})
	}
	t.Fatalf("unknown command %q", line)
	return nil
}

func playFramework(words []string) *mesospb.FrameworkInfo {
	var capabilities []mesospb.FrameworkInfo_Capability_Type
	for _, word := range words[3:] {
		if c, ok := mesospb.FrameworkInfo_Capability_Type_value[word]; ok {
			capabilities = append(capabilities, mesospb.FrameworkInfo_Capability_Type(c))
		}
	}
	return testFramework(words[1], capabilities...)
}

func playTask(t *testing.T, words []string) *mesospb.TaskInfo {
	task := testTask(words[2])
	for _, word := range words[3:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "max":
			task.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: new(int64(*playGrace(t, value)))}
		case "grace":
			task.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: new(int64(*playGrace(t, value)))}}
		case "health_check":
			n, err := strconv.Atoi(value)
			task.HealthCheck = testHealthCheck(uint32(must(t, n, err)))
		case "check":
			task.Check = &mesospb.CheckInfo{Type: mesospb.CheckInfo_HTTP.Enum(), Http: &mesospb.CheckInfo_Http{Port: new(uint32(80)), Path: new("/ready")}}
		case "commandless":
			task.Command = nil
		case "driver":
			task.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Volumes: []*mesospb.Volume{{
				ContainerPath: new("v"), Source: &mesospb.Volume_Source{Type: mesospb.Volume_Source_DOCKER_VOLUME.Enum()},
			}}}
		case "apart":
			task.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), LinuxInfo: &mesospb.LinuxInfo{ShareCgroups: new(false)}}
		case "parent":
			task.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Volumes: []*mesospb.Volume{{
				ContainerPath: new("v"), Mode: mesospb.Volume_RW.Enum(), Source: &mesospb.Volume_Source{
					Type:        mesospb.Volume_Source_SANDBOX_PATH.Enum(),
					SandboxPath: &mesospb.Volume_Source_SandboxPath{Type: mesospb.Volume_Source_SandboxPath_PARENT.Enum(), Path: new("shared")},
				},
			}}}
		case "container":
			task.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum()}
		case "executor":
			task.Command, task.Executor = nil, testExecutor(words[1], value)
		case "default":
			task.Executor.Type, task.Executor.Command = mesospb.ExecutorInfo_DEFAULT.Enum(), nil
			task.Command = testTask("").Command
		case "agent":
			task.AgentId = &mesospb.AgentID{Value: &value}
		}
	}
	return task
}

func playGrace(t *testing.T, text string) *time.Duration {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	return new(must(t, d, err))
}

func playOutcome(t *testing.T, words []string) Outcome {
	o := Outcome{Done: true}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi("0" + value)
		must(t, n, err)
		switch key {
		case "exit":
			o.Exit = int32(n)
		case "status":
			o.Status = uint32(n)
		case "late":
			o = Outcome{Why: "no answer in time"}
		default:
			t.Fatalf("unknown outcome %q", word)
		}
	}
	return o
}

func playEnd(t *testing.T, words []string) End {
	end := End{Known: true}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "status":
			n, err := strconv.Atoi(value)
			end.Exit = must(t, n, err)
		case "signal":
			end.Signal = value
		case "oom":
			end.OOM, end.MemPeak = true, 100<<20
		case "lost":
			end = End{}
		case "rebooted":
			end = End{Rebooted: true}
		default:
			t.Fatalf("unknown end %q", word)
		}
	}
	return end
}
