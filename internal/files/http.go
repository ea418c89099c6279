package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
)

// A Server answers the endpoints below /files (mesos-api 2.4).
type Server struct{ Source Source }

// fileDoc is an element of /files/browse.
type fileDoc struct {
	Group    string `json:"gid"`
	Mode     string `json:"mode"`
	Modified mtime  `json:"mtime"`
	Links    uint64 `json:"nlink"`
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	User     string `json:"uid"`
}

func newFileDoc(e Entry) fileDoc {
	return fileDoc{
		Group: e.Group, Mode: modeText(e.Info.Mode()), Modified: mtime(e.Modified.Unix()), Links: e.Links,
		Path: e.Path, Size: e.Info.Size(), User: e.User,
	}
}

// modeText is a mode as ls shows it.
func modeText(m fs.FileMode) string {
	kind := byte('-')
	switch {
	case m.IsDir():
		kind = 'd'
	case m&fs.ModeSymlink != 0:
		kind = 'l'
	case m&fs.ModeNamedPipe != 0:
		kind = 'p'
	case m&fs.ModeSocket != 0:
		kind = 's'
	case m&fs.ModeCharDevice != 0:
		kind = 'c'
	case m&fs.ModeDevice != 0:
		kind = 'b'
	}
	return string(kind) + m.Perm().String()[1:]
}

// mtime is a time in whole seconds, printed as the double that it is in Mesos.
type mtime int64

// MarshalJSON implements json.Marshaler.
func (m mtime) MarshalJSON() ([]byte, error) { return daemon.AppendDouble(nil, float64(m)), nil }

// pathOf reads the query that all of /files has.
func pathOf(q url.Values) (string, error) {
	if p := q.Get("path"); p != "" {
		return p, nil
	}
	return "", callevent.Errorf(http.StatusBadRequest, "Expecting 'path=value' in query.\n")
}

// writeError is the answer to a path that cannot be served.
func writeError(w http.ResponseWriter, name string, err error, directory, missing string) {
	var refused *callevent.Error
	switch {
	case errors.As(err, &refused):
		callevent.WriteError(w, err)
	case errors.Is(err, ErrInaccessible):
		daemon.WriteText(w, http.StatusBadRequest, fmt.Sprintf("'%s' is inaccessible.\n", name))
	case errors.Is(err, ErrDirectory):
		daemon.WriteText(w, http.StatusBadRequest, directory)
	case missing == "":
		notFound(w)
	default:
		daemon.WriteText(w, http.StatusNotFound, missing)
	}
}

// notFound answers 404 without a body, as Mesos does for files.
func notFound(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusNotFound)
}

// Browse answers /files/browse: a directory's content, or [] for a file.
func (s Server) Browse(w http.ResponseWriter, r *http.Request) {
	name, err := pathOf(r.URL.Query())
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	entries, err := s.Source.List(name)
	if err != nil {
		writeError(w, name, err, "", "")
		return
	}
	docs := []fileDoc{}
	for _, e := range entries {
		docs = append(docs, newFileDoc(e))
	}
	body, err := json.Marshal(docs)
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	daemon.WriteJSON(w, r, body)
}

// Read answers /files/read: a piece of a file, or its size without an offset.
func (s Server) Read(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, err := pathOf(q)
	offset, length := int64(-1), int64(-1)
	if err == nil {
		offset, err = number(q, "offset")
	}
	if err == nil {
		length, err = number(q, "length")
	}
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	data, size, err := Piece(s.Source, name, offset, length)
	if err != nil {
		writeError(w, name, err, "Cannot read a directory.\n", "")
		return
	}
	if offset < 0 {
		offset = size
	}
	body := appendRaw([]byte(`{"data":`), data)
	body = append(body, `,"offset":`...)
	body = strconv.AppendInt(body, offset, 10)
	daemon.WriteJSON(w, r, append(body, '}'))
}

// number reads an optional number of a query; -1 is none.
func number(q url.Values, name string) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0, callevent.Errorf(http.StatusBadRequest, "Failed to parse %s: Failed to convert '%s' to number.\n", name, text)
	case n < -1:
		return 0, callevent.Errorf(http.StatusBadRequest, "Negative %s provided: %d.\n", name, n)
	}
	return n, nil
}

// appendRaw quotes text for JSON and leaves bytes that are no UTF-8 as they are:
// who reads a log in pieces must get each byte once.
func appendRaw(b, text []byte) []byte {
	b = append(b, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20 || c == 0x7f:
			b = fmt.Appendf(b, "\\u%04x", c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// Download answers /files/download with a whole file.
func (s Server) Download(w http.ResponseWriter, r *http.Request) {
	name, err := pathOf(r.URL.Query())
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	file, info, err := s.Source.Open(name)
	if err != nil {
		writeError(w, name, err, "Cannot download a directory.\n", "404 Not Found.")
		return
	}
	defer file.Close()
	if err := daemon.Unbounded(w); err != nil && !errors.Is(err, http.ErrNotSupported) {
		callevent.WriteError(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(name)}))
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if r.Method == http.MethodHead {
		return
	}
	send(w, io.LimitReader(file, info.Size()))
}

// stall is how long a reader of a download may take nothing.
const stall = time.Minute

// send copies with a deadline per piece. A reader that went away needs no answer.
func send(w http.ResponseWriter, r io.Reader) {
	control := http.NewResponseController(w)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		_ = control.SetWriteDeadline(time.Now().Add(stall)) // not every writer has one
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// contentType goes by the extension, among the few that Mesos knows and that a
// browser shows without running anything but HTML.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html"
	case ".css":
		return "text/css"
	case ".gif":
		return "image/gif"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	}
	return "application/octet-stream"
}

// A readCall is READ_FILE of the master's API or the agent's.
type readCall interface {
	GetPath() string
	GetOffset() uint64
	GetLength() uint64
	ProtoReflect() protoreflect.Message
}

// ReadCall answers READ_FILE: a piece, and the size of the file.
func ReadCall(s Source, call readCall) (data []byte, size uint64, err error) {
	length := int64(-1)
	if m := call.ProtoReflect(); m.Has(m.Descriptor().Fields().ByName("length")) {
		length = int64(min(call.GetLength(), maxRead))
	}
	offset := min(call.GetOffset(), 1<<62) // beyond any file
	data, n, err := Piece(s, call.GetPath(), int64(offset), length)
	if data == nil {
		data = []byte{} // the member is required
	}
	return data, uint64(n), err
}

// CallError is the answer to a call about a path that cannot be served. It writes
// a 404, which has no body, itself.
func CallError(w http.ResponseWriter, name string, err error) error {
	switch {
	case errors.Is(err, ErrInaccessible):
		return callevent.Errorf(http.StatusBadRequest, "'%s' is inaccessible.\n", name)
	case errors.Is(err, ErrDirectory):
		return callevent.Errorf(http.StatusBadRequest, "Cannot read a directory.\n")
	case errors.Is(err, ErrNotFound):
		notFound(w)
		return nil
	}
	return fmt.Errorf("read '%s': %w", name, err)
}
