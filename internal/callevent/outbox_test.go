package callevent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/recordio"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

var heartbeat = &schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()}

func message(text string) proto.Message {
	return &schedulerpb.Event{Error: &schedulerpb.Event_Error{Message: proto.String(text)}}
}

// pipeListener hands out in-memory connections: synctest cannot see real ones wait.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func listenPipe() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	}
}

// serve runs h over pipes and returns a client for it.
func serve(t *testing.T, h http.Handler) *http.Client {
	t.Helper()
	l := listenPipe()
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	transport := &http.Transport{DialContext: l.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
		<-done
	})
	return &http.Client{Transport: transport}
}

// streamOf serves box, and reports how Serve ended.
func streamOf(box *Outbox, c Codec, o StreamOptions) (http.Handler, <-chan error) {
	ended := make(chan error, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ended <- box.Serve(r.Context(), w, c, o)
	}), ended
}

func TestServeWritesRecordsAndHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := NewOutbox(10)
		h, ended := streamOf(box, JSON, StreamOptions{StreamID: "s-1", Heartbeat: heartbeat, Interval: 15 * time.Second})
		resp, err := serve(t, h).Get("http://master/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got := resp.Header.Get("Content-Type") + " " + resp.Header.Get(StreamIDHeader); got != "application/json s-1" {
			t.Errorf("headers = %s, want application/json s-1", got)
		}
		start := time.Now()
		if !box.Send(message("one")) || !box.Send(message("two")) {
			t.Fatal("Send() = false, want true")
		}
		records := recordio.NewReader(resp.Body, 1000)
		for i, want := range []string{`{"error":{"message":"one"}}`, `{"error":{"message":"two"}}`, `{"type":"HEARTBEAT"}`, `{"type":"HEARTBEAT"}`} {
			if got, err := records.Next(); err != nil || string(got) != want {
				t.Fatalf("record %d = %s, %v, want %s", i, got, err, want)
			}
		}
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("second heartbeat after %v, want 30s", got)
		}
		box.Send(message("three"))
		box.Close(message("last"))
		rest, err := io.ReadAll(resp.Body)
		want := "29\n" + `{"error":{"message":"three"}}` + "28\n" + `{"error":{"message":"last"}}`
		if err != nil || string(rest) != want {
			t.Errorf("rest of the stream = %q, %v, want %q and a clean end", rest, err, want)
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve() = %v, want nil", err)
		}
		if box.Send(message("late")) {
			t.Error("Send() after Close = true, want false")
		}
	})
}

// TestRecordsInJSONAreChunks: clients split a stream by its chunks.
func TestRecordsInJSONAreChunks(t *testing.T) {
	box := NewOutbox(10)
	box.Send(message("one"))
	box.Send(message(strings.Repeat("two", 5000)))
	box.Send(message("three"))
	box.Close()
	h, _ := streamOf(box, JSON, StreamOptions{})
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(all), "\r\n\r\n")
	chunks := strings.Split(body, "\r\n") // size, chunk, size, chunk, …, 0
	if len(chunks) < 6 {
		t.Fatalf("body is %.300q, want three chunks", body)
	}
	for i, text := range []string{"one", strings.Repeat("two", 5000), "three"} {
		want := string(recordio.Append(nil, must(AppendJSON(nil, message(text)))))
		if got := chunks[2*i+1]; got != want {
			t.Errorf("chunk %d is %.100q, want %.100q", i, got, want)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestServeInProtobufAndRecordIO(t *testing.T) {
	box := NewOutbox(1)
	box.Send(heartbeat)
	box.Close()
	w := httptest.NewRecorder()
	if err := box.Serve(t.Context(), w, Protobuf, StreamOptions{RecordIO: true}); err != nil {
		t.Fatalf("Serve() = %v", err)
	}
	if got := w.Body.String(); got != "2\n\b\b" {
		t.Errorf("body = %q, want the framed heartbeat", got)
	}
	if got := w.Header(); got.Get("Content-Type") != "application/recordio" || got.Get("Message-Content-Type") != "application/x-protobuf" {
		t.Errorf("headers = %v, want recordio with protobuf messages", got)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		deposed := errors.New("no longer leading")
		ended := make(chan error, 1)
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ended <- NewOutbox(1).Serve(ctx, w, JSON, StreamOptions{})
		}))
		resp, err := client.Get("http://master/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		cancel(deposed)
		if err := <-ended; !errors.Is(err, deposed) {
			t.Errorf("Serve() = %v, want %v", err, deposed)
		}
	})
}

func TestServeEndsWhenTheClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := NewOutbox(1)
		h, ended := streamOf(box, JSON, StreamOptions{})
		resp, err := serve(t, h).Get("http://master/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve() = %v, want %v", err, context.Canceled)
		}
	})
}

// TestSlowReaders checks that neither a full queue nor an endless write keeps
// the handler, and that Send never waits.
func TestSlowReaders(t *testing.T) {
	big := message(strings.Repeat("x", 1<<20))
	t.Run("full queue", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			box := NewOutbox(3)
			h, ended := streamOf(box, JSON, StreamOptions{WriteTimeout: time.Hour})
			resp, err := serve(t, h).Get("http://master/")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			box.Send(big)
			synctest.Wait() // it is being written, and nobody reads
			sent := 0
			for box.Send(big) {
				sent++
			}
			if sent != 3 {
				t.Errorf("messages taken before the queue was full = %d, want 3", sent)
			}
			start := time.Now()
			if err := <-ended; !errors.Is(err, ErrSlowReader) || time.Since(start) != 0 {
				t.Errorf("Serve() = %v after %v, want %v at once", err, time.Since(start), ErrSlowReader)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Error("client saw a clean end, want a broken stream")
			}
		})
	})
	t.Run("endless write", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			box := NewOutbox(3)
			h, ended := streamOf(box, JSON, StreamOptions{})
			resp, err := serve(t, h).Get("http://master/")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			start := time.Now()
			box.Send(big)
			if err := <-ended; !errors.Is(err, ErrSlowReader) || time.Since(start) != DefaultWriteTimeout {
				t.Errorf("Serve() = %v after %v, want %v after %v", err, time.Since(start), ErrSlowReader, DefaultWriteTimeout)
			}
		})
	})
}

func TestCloseBeforeServe(t *testing.T) {
	box := NewOutbox(1)
	box.Close(message("refused"))
	box.Close(message("again"))
	w := httptest.NewRecorder()
	if err := box.Serve(t.Context(), w, JSON, StreamOptions{}); err != nil {
		t.Fatalf("Serve() = %v", err)
	}
	if want := "31\n" + `{"error":{"message":"refused"}}`; w.Body.String() != want {
		t.Errorf("body = %q, want %q", w.Body, want)
	}
}

// TestConnectionServesAgainAfterAStream checks that no deadline is left behind.
func TestConnectionServesAgainAfterAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			box := NewOutbox(1)
			box.Close(heartbeat)
			_ = box.Serve(r.Context(), w, JSON, StreamOptions{})
		}))
		for i := range 3 {
			resp, err := client.Get("http://master/")
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			line, _ := bufio.NewReader(resp.Body).ReadString(0)
			resp.Body.Close()
			if line != "20\n"+`{"type":"HEARTBEAT"}` {
				t.Errorf("request %d got %q", i, line)
			}
			time.Sleep(2 * DefaultWriteTimeout)
		}
	})
}

func BenchmarkOutboxServe(b *testing.B) {
	for _, c := range []Codec{JSON, Protobuf} {
		b.Run(fmt.Sprint(c), func(b *testing.B) {
			m := message("the quick brown fox")
			box := NewOutbox(b.N)
			for range b.N {
				box.Send(m)
			}
			box.Close()
			b.ResetTimer()
			if err := box.Serve(b.Context(), discard{http.Header{}}, c, StreamOptions{}); err != nil {
				b.Fatal(err)
			}
		})
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
func (d discard) Flush()                      {}
