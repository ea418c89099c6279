package daemon_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/soukproject/souk/internal/daemon"
)

// serve starts a server for the length of a test and returns its address.
func serve(t *testing.T, s daemon.Server) string {
	t.Helper()
	ln, err := daemon.Listen(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Log = zap.NewNop()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return ln.Addr().String()
}

func ok(w http.ResponseWriter, r *http.Request) { daemon.WriteText(w, 200, "ok") }

func TestWaitingConnectionsMakeRoom(t *testing.T) {
	address := serve(t, daemon.Server{Handler: http.HandlerFunc(ok), MaxConnections: 20})
	for range 200 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /health HT") // never finished
	}
	client := http.Client{Timeout: 5 * time.Second}
	for range 5 {
		resp, err := client.Get("http://" + address + "/health")
		if err != nil {
			t.Fatalf("GET behind 200 silent connections: %v", err)
		}
		resp.Body.Close()
	}
}

// TestSlowRequestsMakeRoom: those that hold every place with a body that never
// ends lose it once others have waited a while.
func TestSlowRequestsMakeRoom(t *testing.T) {
	begun := make(chan bool, 100)
	reading := func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		io.Copy(io.Discard, r.Body)
		ok(w, r)
	}
	address := serve(t, daemon.Server{Handler: http.HandlerFunc(reading), MaxConnections: 5})
	for range 5 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
		<-begun
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := client.Get("http://" + address + "/health")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET behind 5 slow requests: %v", err)
		}
	}
}

func TestConnectionsInUseAreKept(t *testing.T) {
	release := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			if err := daemon.Unbounded(w); err != nil {
				t.Errorf("Unbounded = %v", err)
			}
			w.(http.Flusher).Flush()
			<-release
		}
		fmt.Fprintln(w, "done")
	}
	address := serve(t, daemon.Server{Handler: http.HandlerFunc(handler), MaxConnections: 3})
	resp, err := http.Get("http://" + address + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for range 30 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	client := http.Client{Timeout: 5 * time.Second}
	if other, err := client.Get("http://" + address + "/"); err != nil {
		t.Errorf("GET = %v", err)
	} else {
		other.Body.Close()
	}
	close(release)
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "done\n" {
		t.Errorf("stream = %q, %v, want it to have survived the crowd", line, err)
	}
}

func TestServeEndsStreamsWithItsContext(t *testing.T) {
	ln, err := daemon.Listen(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	ended := make(chan error, 1)
	go func() { ended <- daemon.Server{Handler: handler, Log: zaptest.NewLogger(t)}.Serve(ctx, ln) }()
	resp, err := http.Get("http://" + ln.Addr().String())
	if err == nil {
		resp.Body.Close()
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

func TestListenSaysWhatToDo(t *testing.T) {
	ln, err := daemon.Listen(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = daemon.Listen(t.Context(), "127.0.0.1", ln.Addr().(*net.TCPAddr).Port)
	if err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("Listen(taken port) = %v, want that said", err)
	}
	_, err = daemon.Listen(t.Context(), "203.0.113.7", 0)
	if err == nil || !strings.Contains(err.Error(), "no such address") {
		t.Errorf("Listen(foreign address) = %v, want that said", err)
	}
}

func TestWriteJSON(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 2000) + `"}`
	cases := []struct {
		name, query, accept, body, want, contentType string
		gzipped                                      bool
	}{
		{"plain", "", "", `{}`, `{}`, "application/json", false},
		{"wrapped", "?jsonp=cb", "", `{}`, `cb({})`, "text/javascript", false},
		{"wrapped in nothing", "?jsonp=", "", `{}`, `({})`, "text/javascript", false},
		{"short stays as it is", "", "gzip", `{}`, `{}`, "application/json", false},
		{"long is compressed", "", "deflate, gzip;q=0.5", long, long, "application/json", true},
		{"any coding", "", "*", long, long, "application/json", true},
		{"gzip excluded", "", "gzip;q=0, *", long, long, "application/json", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/state"+c.query, nil)
			r.Header.Set("Accept-Encoding", c.accept)
			w := httptest.NewRecorder()
			daemon.WriteJSON(w, r, []byte(c.body))
			var body io.Reader = w.Body
			if c.gzipped {
				z, err := gzip.NewReader(w.Body)
				if err != nil {
					t.Fatal(err)
				}
				body = z
			}
			got, err := io.ReadAll(body)
			if string(got) != c.want || err != nil {
				t.Errorf("body = %.60q, %v, want %.60q", got, err, c.want)
			}
			if ct := w.Header().Get("Content-Type"); ct != c.contentType {
				t.Errorf("Content-Type = %q, want %q", ct, c.contentType)
			}
		})
	}
}

func TestLoggerWritesToItsFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	log, level, closeLog, err := daemon.NewLogger("master", daemon.Logging{Level: "warning", Dir: dir, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("not yet")
	level.SetLevel(zap.InfoLevel)
	log.Info("agent registered", zap.String("agent_id", "S0"))
	if err := closeLog(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "master.log"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(got); strings.Contains(text, "not yet") || !strings.Contains(text, `agent registered {"agent_id": "S0"}`) {
		t.Errorf("log = %s", text)
	}
	if _, _, _, err := daemon.NewLogger("master", daemon.Logging{Level: "LOUD"}); err == nil {
		t.Error("NewLogger(level LOUD) = nil, want an error")
	}
}
