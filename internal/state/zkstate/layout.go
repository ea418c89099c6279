package zkstate

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"strings"

	"github.com/soukproject/souk/internal/zookeeper"
)

// buckets is over how many nodes entries are spread, so that the list of no
// node's children becomes large.
const buckets = 64

func parent(path string) string { return path[:strings.LastIndexByte(path, '/')] }

func (s *Store) commitPath() string { return s.cfg.URL.Path + "/commit" }

func (s *Store) bucketPath(b int) string { return fmt.Sprintf("%s/entries/%02x", s.cfg.URL.Path, b) }

func (s *Store) stagedPath(write uint64, part int) string {
	return fmt.Sprintf("%s/staged/%d-%d", s.cfg.URL.Path, write, part)
}

func (s *Store) entryPath(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // it never fails
	return s.bucketPath(int(h.Sum32()%buckets)) + "/" + escape(name)
}

const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:@~"

// escape makes an entry's name into one element of a path: other bytes than
// plain ones, and a dot in front, become %XX.
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; strings.IndexByte(plain, c) >= 0 && (c != '.' || i > 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

var errNotOurs = errors.New("souk did not write it: remove it")

// unescape is escape backwards; it refuses what escape does not make.
func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		var c byte
		if i+3 > len(text) {
			return "", errNotOurs
		}
		if n, err := fmt.Sscanf(text[i+1:i+3], "%02X", &c); n != 1 || err != nil {
			return "", errNotOurs
		}
		b.WriteByte(c)
		i += 2
	}
	if name := b.String(); name != "" && escape(name) == text {
		return name, nil
	}
	return "", errNotOurs
}

// An entry's node holds a mark, the checksum of the rest, the version, the value.
const (
	mark     = "SOUK"
	headSize = len(mark) + 4 + 8
)

func encode(version uint64, value []byte) []byte {
	b := make([]byte, headSize, headSize+len(value))
	copy(b, mark)
	binary.BigEndian.PutUint64(b[8:], version)
	b = append(b, value...)
	binary.BigEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[8:]))
	return b
}

func decode(data []byte) (version uint64, value []byte, err error) {
	if len(data) < headSize || string(data[:4]) != mark || crc32.ChecksumIEEE(data[8:]) != binary.BigEndian.Uint32(data[4:]) {
		return 0, nil, errors.New("it is damaged, or souk did not write it: remove the state with 'deleteall' of zkCli.sh, and restore a backup with 'souk state import'")
	}
	return binary.BigEndian.Uint64(data[8:]), data[headSize:], nil
}

// A commit is what the node commit holds: the last write, and how far it got if
// it is one in parts.
type commit struct {
	Epoch  uint64 `json:"epoch"`
	Writer string `json:"writer"` // who took over last
	Seq    uint64 `json:"seq"`    // of the last write, and the version of what it wrote
	Parts  int    `json:"parts,omitempty"`
	Done   int    `json:"done,omitempty"` // parts
}

// readCommit returns the last write and the version of its node.
func (s *Store) readCommit(ctx context.Context) (commit, int32, error) {
	n, err := s.get(ctx, s.commitPath())
	if err != nil {
		return commit{}, 0, err
	}
	var c commit
	if err := json.Unmarshal(n.Data, &c); err != nil {
		return commit{}, 0, fmt.Errorf("znode %s is damaged: remove %s with 'deleteall' of zkCli.sh, and restore a backup with 'souk state import': %w", s.commitPath(), s.cfg.URL.Path, err)
	}
	return c, n.Version, nil
}

// encodeOps and decodeOps are the form of a part of a write.
func encodeOps(ops []zookeeper.Op) []byte {
	var b []byte
	for _, op := range ops {
		b = append(b, byte(op.Kind))
		b = binary.AppendUvarint(b, uint64(len(op.Path)))
		b = append(b, op.Path...)
		b = binary.AppendUvarint(b, uint64(len(op.Data)))
		b = append(b, op.Data...)
	}
	return b
}

func decodeOps(b []byte) (ops []zookeeper.Op, err error) {
	field := func() []byte {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			err = errors.New("part of a write is damaged")
			return nil
		}
		f := b[size : size+int(n)]
		b = b[size+int(n):]
		return f
	}
	for len(b) > 0 && err == nil {
		kind := zookeeper.Kind(b[0])
		b = b[1:]
		path := field()
		if err == nil {
			ops = append(ops, operation(kind, string(path), field()))
		}
	}
	return ops, err
}

// operation is one on an entry; its condition is the fence.
func operation(kind zookeeper.Kind, path string, data []byte) zookeeper.Op {
	op := zookeeper.Op{Kind: kind, Path: path, Data: data, Version: zookeeper.AnyVersion}
	op.Mode.Private = true
	return op
}
