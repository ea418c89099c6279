package mesospb_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "github.com/soukproject/souk/proto/mesos/v1"
	_ "github.com/soukproject/souk/proto/mesos/v1/agent"
	_ "github.com/soukproject/souk/proto/mesos/v1/allocator"
	_ "github.com/soukproject/souk/proto/mesos/v1/executor"
	_ "github.com/soukproject/souk/proto/mesos/v1/maintenance"
	_ "github.com/soukproject/souk/proto/mesos/v1/master"
	_ "github.com/soukproject/souk/proto/mesos/v1/quota"
	_ "github.com/soukproject/souk/proto/mesos/v1/resource_provider"
	_ "github.com/soukproject/souk/proto/mesos/v1/scheduler"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Both the published table and the compiled schema are flattened into lines of
// one form, so that a difference either way is a line.

// TestSchemaIsThePublishedOne holds the compiled descriptors against the table, both ways.
func TestSchemaIsThePublishedOne(t *testing.T) {
	published, compiled := publishedSchema(t), compiledSchema()
	if len(published) < 1500 {
		t.Fatalf("the published table has %d lines, want it whole", len(published))
	}
	for line := range published {
		if !compiled[line] {
			t.Errorf("published, not compiled: %s", line)
		}
	}
	for line := range compiled {
		if !published[line] {
			t.Errorf("compiled, not published: %s", line)
		}
	}
}

// TestUnusedNumbersStayUnused: numbers that old versions used would be misread by old clients.
func TestUnusedNumbersStayUnused(t *testing.T) {
	for _, row := range table(t) {
		if row["kind"] != "gap" {
			continue
		}
		name := protoreflect.FullName(row["package"] + "." + row["message_or_enum"])
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.SplitSeq(row["number"], ",") {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			if f := d.(protoreflect.MessageDescriptor).Fields().ByNumber(protoreflect.FieldNumber(n)); f != nil {
				t.Errorf("%s uses number %d for %s", name, n, f.Name())
			}
		}
	}
}

func table(t *testing.T) []map[string]string {
	t.Helper()
	f, err := os.Open("testdata/fields.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	head := records[0]
	var rows []map[string]string
	for _, rec := range records[1:] {
		row := make(map[string]string)
		for i, column := range head {
			if i < len(rec) {
				row[column] = rec[i]
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func publishedSchema(t *testing.T) map[string]bool {
	lines := make(map[string]bool)
	for _, r := range table(t) {
		name := r["package"] + "." + r["message_or_enum"]
		switch r["kind"] {
		case "field":
			lines[fieldLine(name, r["number"], r["name"], r["label"], r["type"], r["default"], r["oneof"], r["notes"] == "deprecated")] = true
		case "enum":
			lines[fmt.Sprintf("enum %s %s=%s", name, r["name"], r["number"])] = true
		case "empty":
			lines["empty "+name] = true
		}
	}
	return lines
}

func fieldLine(message, number, name, label, typ, def, oneof string, deprecated bool) string {
	return fmt.Sprintf("field %s %s %s %s %s default=%q oneof=%q deprecated=%v", message, number, name, label, typ, def, oneof, deprecated)
}

func compiledSchema() map[string]bool {
	lines := make(map[string]bool)
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(f.Package()), "mesos.v1") {
			addEnums(lines, f.Enums())
			addMessages(lines, f.Messages())
		}
		return true
	})
	return lines
}

func addMessages(lines map[string]bool, messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		m := messages.Get(i)
		if m.IsMapEntry() {
			continue
		}
		if m.Fields().Len() == 0 && m.Messages().Len() == 0 { // one with messages inside is a namespace
			lines["empty "+string(m.FullName())] = true
		}
		for j := range m.Fields().Len() {
			lines[compiledField(m.Fields().Get(j))] = true
		}
		addEnums(lines, m.Enums())
		addMessages(lines, m.Messages())
	}
}

func addEnums(lines map[string]bool, enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		e := enums.Get(i)
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			lines[fmt.Sprintf("enum %s %s=%d", e.FullName(), v.Name(), v.Number())] = true
		}
	}
}

func compiledField(f protoreflect.FieldDescriptor) string {
	label, typ := f.Cardinality().String(), typeName(f)
	if f.IsMap() {
		label, typ = "map", fmt.Sprintf("map<%s,%s>", typeName(f.MapKey()), typeName(f.MapValue()))
	}
	def := ""
	if f.HasDefault() {
		def = defaultText(f)
	}
	oneof := ""
	if o := f.ContainingOneof(); o != nil {
		oneof = string(o.Name())
	}
	deprecated := false
	if o, ok := f.Options().(*descriptorpb.FieldOptions); ok {
		deprecated = o.GetDeprecated()
	}
	return fieldLine(string(f.ContainingMessage().FullName()), strconv.Itoa(int(f.Number())), string(f.Name()), label, typ, def, oneof, deprecated)
}

func defaultText(f protoreflect.FieldDescriptor) string {
	if f.Kind() == protoreflect.EnumKind {
		return string(f.DefaultEnumValue().Name())
	}
	return f.Default().String()
}

func typeName(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return string(f.Message().FullName())
	case protoreflect.EnumKind:
		return string(f.Enum().FullName())
	}
	return f.Kind().String()
}

// TestPackagesAreTheDocumentedOnes guards the import paths that generated clients rely on.
func TestPackagesAreTheDocumentedOnes(t *testing.T) {
	var want, got []string
	for _, row := range table(t) {
		if row["kind"] == "package" {
			want = append(want, row["package"]+" "+row["message_or_enum"])
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(f.Package()), "mesos.v1") {
			got = append(got, string(f.Package())+" "+f.Path())
		}
		return true
	})
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("compiled files = %v, want %v", got, want)
	}
}
