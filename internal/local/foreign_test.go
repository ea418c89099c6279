package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Clients of these tests were written by others, for Apache Mesos and Marathon.
// A test is skipped where its client is not installed and cannot be.

// installation is how long a client may take to be fetched and built.
const installation = 5 * time.Minute

// foreign runs a client to its end and returns what it printed.
func foreign(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), installation)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// wants fails the test unless lines that begin with these follow each other in out.
func wants(t *testing.T, out string, begins ...string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if len(begins) > 0 && strings.HasPrefix(line, begins[0]) {
			begins = begins[1:]
		}
	}
	if len(begins) > 0 {
		t.Errorf("no line %q where it should be in\n%s", begins[0], out)
	}
}

// installed finds a program, or skips the test.
func installed(t *testing.T, program, from string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed (%s)", program, from)
	}
	return path
}

// online skips a test that needs what err says could not be fetched.
func online(t *testing.T, what, out string, err error) {
	t.Helper()
	if err != nil {
		t.Skipf("%s cannot be installed here: %v\n%s", what, err, out)
	}
}

// TestEndToEndMesosGo: a scheduler built from Debian's Go library for the v1 API.
func TestEndToEndMesosGo(t *testing.T) {
	const path = "/usr/share/gocode"
	if _, err := os.Stat(path + "/src/github.com/mesos/mesos-go/api/v1/lib"); err != nil {
		t.Skip("the Debian package golang-github-mesos-mesos-go-dev is not installed")
	}
	client := filepath.Join(t.TempDir(), "mesosgo")
	build := exec.Command("go", "build", "-o", client, ".")
	build.Dir = "testdata/mesosgo"
	build.Env = append(os.Environ(), "GO111MODULE=off", "GOPATH="+path, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	c := newCluster(t)
	c.start()
	for _, codec := range []string{"json", "protobuf"} {
		t.Run(codec, func(t *testing.T) {
			out, err := foreign(t, "", client, "-master", c.master, "-user", user(), "-protobuf="+fmt.Sprint(codec == "protobuf"))
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, c.out)
			}
			wants(t, out, "SUBSCRIBED, heartbeat 15", "TASK_RUNNING", "master knows 1 tasks", "agent runs one", "TASK_FINISHED")
			wants(t, out, "HEARTBEAT")
		})
	}
	c.idle()
	if got := c.call(http.MethodPost, c.master+"/api/v1", `{"type":"GET_FRAMEWORKS"}`, http.StatusOK); strings.Count(got, `"name":"mesosgo"`) != 2 || !strings.Contains(got, "completed_frameworks") {
		t.Errorf("GET_FRAMEWORKS = %s, want two completed frameworks mesosgo", got)
	}
}

// script lays out a script of testdata with the npm packages it needs, and returns its folder.
func script(t *testing.T, name string, packages ...string) string {
	t.Helper()
	npm := installed(t, "npm", "Debian's npm")
	installed(t, "node", "Debian's nodejs")
	dir := t.TempDir()
	source, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, name), source, 0o644),
		os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"}, packages...)
	out, err := foreign(t, dir, npm, args...)
	online(t, strings.Join(packages, " and "), out, err)
	return dir
}

// clean fails the test if the client said that something went wrong.
func clean(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "error:") {
			t.Errorf("the client saw an %s", line)
		}
	}
}

// TestEndToEndNPM: a scheduler on the npm package mesos-framework.
func TestEndToEndNPM(t *testing.T) {
	dir := script(t, "npm.js", "mesos-framework@0.5.3")
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil { // which the package wants and does not make
		t.Fatal(err)
	}
	c := newCluster(t)
	c.start()
	host, port, _ := strings.Cut(strings.TrimPrefix(c.master, "http://"), ":")
	out, err := foreign(t, dir, "node", "npm.js", host, port, user(), "sleep 1")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wants(t, out, "SUBSCRIBED", "TASK_RUNNING", "TASK_FINISHED")
	clean(t, out)
	c.idle()
	if got := c.call(http.MethodPost, c.master+"/api/v1", `{"type":"GET_TASKS"}`, http.StatusOK); strings.Contains(got, `"status_update_state":"TASK_FINISHED"`) && !strings.Contains(got, "completed_tasks") {
		t.Errorf("GET_TASKS = %s: the last update was not acknowledged", got)
	}
}

// TestEndToEndMarathonNPM: two npm packages, one that uses Marathon and one that hears of it.
func TestEndToEndMarathonNPM(t *testing.T) {
	dir := script(t, "deploy.js", "marathon-node@1.1.0", "marathon-event-bus-client@0.1.7")
	c := newCluster(t)
	c.start()
	host, port, _ := strings.Cut(strings.TrimPrefix(c.marathon, "http://"), ":")
	out, err := foreign(t, dir, "node", "deploy.js", c.marathon, host, port)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wants(t, out, "subscribed", "running 1 TASK_RUNNING", "heard TASK_RUNNING", "scaled 2", "info marathon", "apps 0")
	clean(t, out)
	c.idle()
}

// TestEndToEndMarathonPython: Debian's Python library for Marathon.
func TestEndToEndMarathonPython(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's own: its libraries are for no other
	if out, err := exec.Command(python, "-c", "import marathon").CombinedOutput(); err != nil {
		t.Skipf("the Debian package python3-marathon is not installed: %v\n%s", err, out)
	}
	c := newCluster(t)
	c.start()
	out, err := foreign(t, "testdata", python, "-B", "deploy.py", c.marathon)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wants(t, out, `ping "pong"`, "info marathon", "created /py/web", "tasks 1 TASK_RUNNING 1", "heard TASK_RUNNING",
		"by label ['/py/web']", "endpoints 1", "scaled 3", "versions 2", "first version had 1", "after a kill 2", "queue 0", "deleted")
	clean(t, out)
	c.idle()
}

// TestEndToEndPrometheus: Prometheus discovers Marathon's tasks and scrapes one.
func TestEndToEndPrometheus(t *testing.T) {
	program := installed(t, "prometheus", "Debian's prometheus")
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", `{"id":"/team/web","cmd":"sleep 1000","cpus":0.1,"mem":32,"instances":2,
		"labels":{"tier":"front"},"portDefinitions":[{"port":0,"name":"http","labels":{"metrics":"yes"}}]}`, http.StatusCreated)
	ports := map[string]bool{}
	for _, k := range c.running("team/web", 2) {
		ports[fmt.Sprint(k.Ports[0])] = true
	}
	dir := t.TempDir()
	settings := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(settings, fmt.Appendf(nil, `
scrape_configs:
- job_name: marathon
  marathon_sd_configs:
  - servers: [%q]
    refresh_interval: 1s
- job_name: master
  scrape_interval: 1s
  static_configs: [{targets: [%q]}]
`, c.marathon, strings.TrimPrefix(c.master, "http://")), 0o644); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	var log bytes.Buffer
	cmd := exec.Command(program, "--config.file="+settings, "--storage.tsdb.path="+dir, "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var answer struct {
		Data struct {
			ActiveTargets []struct {
				DiscoveredLabels map[string]string
				Health           string
			}
		}
	}
	c.eventually("Prometheus has its targets", func() error {
		answer.Data.ActiveTargets = nil
		if err := c.get("http://"+address+"/api/v1/targets", &answer); err != nil {
			return err
		}
		for _, a := range answer.Data.ActiveTargets {
			if a.DiscoveredLabels["job"] == "master" && a.Health != "up" {
				return fmt.Errorf("the master's target is %s", a.Health)
			}
		}
		if n := len(answer.Data.ActiveTargets); n != 3 {
			return fmt.Errorf("%d targets, want the master and two tasks", n)
		}
		return nil
	})
	for _, a := range answer.Data.ActiveTargets {
		l := a.DiscoveredLabels
		if l["job"] == "master" {
			continue
		}
		port := l["__address__"][strings.LastIndexByte(l["__address__"], ':')+1:]
		if !ports[port] {
			t.Errorf("target %s is no task's port: %v", l["__address__"], ports)
		}
		delete(ports, port)
		for name, want := range map[string]string{"app": "/team/web", "app_label_tier": "front", "port_index": "0", "port_definition_label_metrics": "yes"} {
			if got := l["__meta_marathon_"+name]; got != want {
				t.Errorf("label %s of target %s is %q, want %q", name, l["__address__"], got, want)
			}
		}
	}
	c.call(http.MethodDelete, c.marathon+"/v2/apps/team/web", "", http.StatusOK)
	c.idle()
}

// TestEndToEndTelegraf: telegraf's Mesos input reads master and agent.
func TestEndToEndTelegraf(t *testing.T) {
	client := filepath.Join(t.TempDir(), "telegraf")
	out, err := foreign(t, "testdata/telegraf", "go", "build", "-o", client, ".")
	online(t, "telegraf", out, err)
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", sample(t, "api-app-simple.json"), http.StatusCreated)
	agent := c.agentOf(c.running("simple", 2)[0])
	out, err = foreign(t, "", client, c.master, agent)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{"master master/elected 1", "master master/slaves_active ", "master master/tasks_running 2",
		"master master/messages_register_framework ", "slave slave/registered 1", "slave slave/tasks_running ", "slave slave/cpus_total "} {
		wants(t, out, line)
	}
	c.call(http.MethodDelete, c.marathon+"/v2/apps/simple", "", http.StatusOK)
	c.idle()
}
