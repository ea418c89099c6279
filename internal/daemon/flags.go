package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrHelp is what Parse returns when --help was given; print Usage and exit 0.
var ErrHelp = errors.New("help requested")

// maxFlagFile bounds what a file:// value may read.
const maxFlagFile = 4 << 20

// FlagSet reads flags as Mesos spells them: --work_dir=/x, --work-dir /x,
// --quiet, --no-quiet, SOUK_WORK_DIR and MESOS_WORK_DIR in the environment,
// and file:///path in place of a value. The command line wins over SOUK_*,
// which wins over MESOS_*. Not for concurrent use.
type FlagSet struct {
	command  string // as in messages: "souk master"
	flags    map[string]*flag
	aliases  map[string]string // old name → name
	letters  map[string]string // "f" → name, for -f
	shape    string            // of the operands, as in the usage; "" for none
	operands *[]string
	warnings []string
}

type flag struct {
	name     string // with underscores, as Mesos spells it
	usage    string
	fallback string // text of the value when nothing is given; "" for none
	value    string // text of the value in force
	given    string // where the value came from; "" for the fallback
	required bool
	boolean  bool
	many     bool   // may be given several times
	path     bool   // file:// names the file itself, not its content
	refusal  string // why the flag cannot be used yet
	set      func(text string) error
}

// A Flag is one flag as /flags and manuals show it.
type Flag struct {
	Name, Value, Usage string
	Set                bool // Value was given, or has a default
}

// NewFlags returns an empty set for command, named so in messages.
func NewFlags(command string) *FlagSet {
	return &FlagSet{command: command, flags: make(map[string]*flag), aliases: make(map[string]string), letters: make(map[string]string)}
}

// Func adds a flag that set reads; fallback is the text of its default, which
// the caller has already stored.
func (f *FlagSet) Func(name, fallback, usage string, set func(text string) error) {
	f.add(&flag{name: name, fallback: fallback, usage: usage, set: set})
}

func (f *FlagSet) add(fl *flag) *flag {
	if _, ok := f.flags[fl.name]; ok {
		panic("flag defined twice: " + fl.name)
	}
	fl.value = fl.fallback
	f.flags[fl.name] = fl
	return fl
}

// String adds a flag that is stored as it is; *p holds the default.
func (f *FlagSet) String(p *string, name, usage string) {
	f.Func(name, *p, usage, func(text string) error { *p = text; return nil })
}

// Path adds a flag naming a file or folder: file:// is a prefix of it, not an
// order to read it.
func (f *FlagSet) Path(p *string, name, usage string) {
	f.PathFunc(name, *p, usage, func(path string) error { *p = path; return nil })
}

// PathFunc adds a flag naming a file or folder, which set reads.
func (f *FlagSet) PathFunc(name, fallback, usage string, set func(path string) error) {
	f.add(&flag{name: name, fallback: fallback, usage: usage, path: true, set: func(text string) error {
		return set(strings.TrimPrefix(text, "file://"))
	}})
}

// Only adds a flag by which Mesos chooses between modules, of which there is one here.
func (f *FlagSet) Only(name, module string) {
	f.Func(name, module, "Accepted for compatibility: "+module, func(text string) error {
		if text != module {
			return fmt.Errorf("%q is not part of this version: there is %s", text, module)
		}
		return nil
	})
}

// List adds a flag that may be given several times; check says what is wrong with a value.
func (f *FlagSet) List(p *[]string, name, usage string, check func(text string) error) {
	f.add(&flag{name: name, usage: usage, many: true, set: func(text string) error {
		*p = append(*p, text)
		return check(text)
	}})
}

// Letter lets -x stand for a boolean flag; -xy is -x -y.
func (f *FlagSet) Letter(x, name string) { f.letters[x] = name }

// Operands stores what is no flag, in order, in *p; all that follows -- is such.
// shape shows them in the usage. Without it there may be none.
func (f *FlagSet) Operands(p *[]string, shape string) { f.operands, f.shape = p, shape }

// Bool adds a flag that --name sets and --no-name clears; *p holds the default.
func (f *FlagSet) Bool(p *bool, name, usage string) {
	f.add(&flag{name: name, fallback: strconv.FormatBool(*p), usage: usage, boolean: true, set: func(text string) (err error) {
		*p, err = parseBool(text)
		return err
	}})
}

// BoolFunc adds a flag that --name sets and --no-name clears, which set reads;
// fallback is its default.
func (f *FlagSet) BoolFunc(name string, fallback bool, usage string, set func(bool) error) {
	f.add(&flag{name: name, fallback: strconv.FormatBool(fallback), usage: usage, boolean: true, set: func(text string) error {
		on, err := parseBool(text)
		if err != nil {
			return err
		}
		return set(on)
	}})
}

// Int adds a flag for a number from low to high; *p holds the default.
func (f *FlagSet) Int(p *int, low, high int, name, usage string) {
	f.Func(name, strconv.Itoa(*p), usage, func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is not a number from %d to %d", text, low, high)
		}
		*p = n
		return nil
	})
}

// Port adds a flag for a TCP port; 0 lets the system choose.
func (f *FlagSet) Port(p *int, name, usage string) {
	f.Int(p, 0, 65535, name, usage)
}

// Float adds a flag for a number; *p holds the default.
func (f *FlagSet) Float(p *float64, name, usage string) {
	f.Func(name, strconv.FormatFloat(*p, 'g', -1, 64), usage, func(text string) error {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		*p = n
		return nil
	})
}

// Duration adds a flag for a duration of at least low; *p holds the default.
func (f *FlagSet) Duration(p *time.Duration, low time.Duration, name, usage string) {
	f.Func(name, FormatDuration(*p), usage, func(text string) error {
		d, err := ParseDuration(text)
		if err != nil {
			return err
		}
		if d < low {
			return fmt.Errorf("%s is less than %s", text, FormatDuration(low))
		}
		*p = d
		return nil
	})
}

// Bytes adds a flag for a size; *p holds the default.
func (f *FlagSet) Bytes(p *uint64, name, usage string) {
	f.Func(name, FormatBytes(*p), usage, func(text string) (err error) {
		*p, err = ParseBytes(text)
		return err
	})
}

// IP adds a flag for an IP address, not a host name; *p holds the default.
func (f *FlagSet) IP(p *string, name, usage string) {
	f.Func(name, *p, usage, func(text string) error {
		if net.ParseIP(text) == nil {
			return fmt.Errorf("%q is not an IP address: write one such as 192.168.1.10", text)
		}
		*p = text
		return nil
	})
}

// Require makes Parse fail unless a value for the flag is given; remedy says
// what to give.
func (f *FlagSet) Require(name, remedy string) {
	fl := f.flags[name]
	fl.required, fl.refusal = true, remedy
}

// Refuse adds a flag of Mesos that has no effect here yet: giving it is an
// error that says why, rather than a setting that is silently lost.
func (f *FlagSet) Refuse(name, why string) {
	f.add(&flag{name: name, set: func(string) error { return errors.New(why) }})
}

// Ignore adds a flag of Mesos that has no meaning here: it is accepted with a
// warning, and not listed.
func (f *FlagSet) Ignore(name string) {
	f.add(&flag{name: name, set: f.ignore(name)})
}

// IgnoreBool is Ignore for a flag that may be given as --name or --no-name.
func (f *FlagSet) IgnoreBool(name string) {
	f.add(&flag{name: name, boolean: true, set: f.ignore(name)})
}

func (f *FlagSet) ignore(name string) func(string) error {
	return func(string) error {
		f.warnings = append(f.warnings, fmt.Sprintf("flag --%s has no effect: it has no meaning in Souk", name))
		return nil
	}
}

// Alias lets old stand for name, with a warning.
func (f *FlagSet) Alias(old, name string) {
	f.aliases[old] = name
}

// Parse reads the environment, as "NAME=value" strings, and then args. An error
// is one line that names the flag and the remedy.
func (f *FlagSet) Parse(args, environ []string) error {
	for _, prefix := range []string{"MESOS_", "SOUK_"} { // the second wins
		if err := f.parseEnviron(prefix, environ); err != nil {
			return err
		}
	}
	if err := f.parseArgs(args); err != nil {
		return err
	}
	for _, fl := range f.sorted() {
		if fl.required && fl.given == "" {
			return fmt.Errorf("flag --%s is required: %s", fl.name, fl.refusal)
		}
	}
	return nil
}

func (f *FlagSet) parseEnviron(prefix string, environ []string) error {
	for _, fl := range f.sorted() {
		variable := prefix + strings.ToUpper(fl.name)
		i := slices.IndexFunc(environ, func(e string) bool { return strings.HasPrefix(e, variable+"=") })
		if i < 0 {
			continue
		}
		if err := fl.assign(strings.TrimPrefix(environ[i], variable+"="), variable); err != nil {
			return err
		}
	}
	return nil
}

func (f *FlagSet) parseArgs(args []string) error {
	for len(args) > 0 {
		rest, err := f.parseArg(args)
		if err != nil {
			return err
		}
		args = rest
	}
	return nil
}

// parseArg reads one flag and returns the arguments after it.
func (f *FlagSet) parseArg(args []string) ([]string, error) {
	arg, rest := args[0], args[1:]
	if arg == "--help" || arg == "-h" {
		return nil, ErrHelp
	}
	spelling, ok := strings.CutPrefix(arg, "--")
	switch {
	case arg == "--" && f.operands != nil:
		*f.operands = append(*f.operands, rest...)
		return nil, nil
	case f.operands != nil && !strings.HasPrefix(arg, "-"):
		*f.operands = append(*f.operands, arg)
		return rest, nil
	case !ok && f.lettered(arg):
		return rest, f.assignLetters(arg[1:])
	case !ok || spelling == "":
		return nil, fmt.Errorf("unexpected argument %q: flags are written --name=value, see '%s --help'", arg, f.command)
	}
	spelling, value, hasValue := strings.Cut(spelling, "=")
	fl, negated := f.lookup(spelling)
	source := "--" + spelling
	switch {
	case fl == nil:
		return nil, f.unknown(spelling)
	case strings.HasPrefix(fl.given, "--") && !fl.many:
		return nil, fmt.Errorf("flag %s was given twice: give it once", source)
	case negated && hasValue:
		return nil, fmt.Errorf("flag %s takes no value: write %s, or --%s=%s", source, source, fl.name, value)
	case negated:
		value = "false"
	case fl.boolean && !hasValue:
		value = "true"
	case !hasValue && len(rest) == 0:
		return nil, fmt.Errorf("flag %s needs a value: write %s=VALUE", source, source)
	case !hasValue:
		value, rest = rest[0], rest[1:]
	}
	return rest, fl.assign(value, source)
}

// lettered tells an argument such as -it.
func (f *FlagSet) lettered(arg string) bool {
	letters, ok := strings.CutPrefix(arg, "-")
	for _, x := range letters {
		ok = ok && f.letters[string(x)] != ""
	}
	return ok && letters != ""
}

func (f *FlagSet) assignLetters(letters string) error {
	for _, x := range letters {
		if err := f.flags[f.letters[string(x)]].assign("true", "-"+string(x)); err != nil {
			return err
		}
	}
	return nil
}

// lookup finds a flag by any of its spellings; negated is true for --no-name.
func (f *FlagSet) lookup(spelling string) (fl *flag, negated bool) {
	name := strings.ReplaceAll(spelling, "-", "_")
	if current, ok := f.aliases[name]; ok {
		f.warnings = append(f.warnings, fmt.Sprintf("flag --%s is called --%s now", name, current))
		name = current
	}
	if fl, ok := f.flags[name]; ok {
		return fl, false
	}
	if positive, ok := strings.CutPrefix(name, "no_"); ok {
		if fl := f.flags[positive]; fl != nil && fl.boolean {
			return fl, true
		}
	}
	return nil, false
}

// unknown names the flag and the nearest one that exists.
func (f *FlagSet) unknown(spelling string) error {
	name := strings.ReplaceAll(spelling, "-", "_")
	best, bestDistance := "", 3 // more typos than this are another word
	for _, fl := range f.sorted() {
		if d := distance(name, fl.name); d < bestDistance {
			best, bestDistance = fl.name, d
		}
	}
	if best != "" {
		return fmt.Errorf("unknown flag --%s: did you mean --%s? See '%s --help'", spelling, best, f.command)
	}
	return fmt.Errorf("unknown flag --%s: see '%s --help' for those there are", spelling, f.command)
}

// distance is the number of edits that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			edit := diagonal
			if a[i] != b[j] {
				edit++
			}
			diagonal = row[j+1]
			row[j+1] = min(edit, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// assign reads the text of a value, which may name a file that holds it.
func (fl *flag) assign(text, source string) error {
	if path, ok := strings.CutPrefix(text, "file://"); ok && !fl.path {
		content, err := readFlagFile(path)
		if err != nil {
			return fmt.Errorf("flag %s: %w", source, err)
		}
		text = content
	}
	if err := fl.set(text); err != nil {
		return fmt.Errorf("flag %s: %w", source, err)
	}
	fl.value, fl.given = text, source
	return nil
}

func readFlagFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFlagFile+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxFlagFile {
		return "", fmt.Errorf("file %s is larger than %s", path, FormatBytes(maxFlagFile))
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

// Given reports whether the flag was given, in whatever way.
func (f *FlagSet) Given(name string) bool {
	return f.flags[name].given != ""
}

// Flags returns all flags, sorted by name; refused ones are left out.
func (f *FlagSet) Flags() []Flag {
	var all []Flag
	for _, fl := range f.sorted() {
		if fl.usage != "" {
			all = append(all, Flag{Name: fl.name, Value: shown(fl.value), Usage: fl.usage, Set: fl.given != "" || fl.fallback != ""})
		}
	}
	return all
}

// shown is a value as others may see it: an address without its credentials.
func shown(value string) string {
	scheme, rest, ok := strings.Cut(value, "://")
	authority, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if !ok || at < 0 {
		return value
	}
	return scheme + "://" + authority[at+1:] + "/" + path
}

// Warnings returns what the operator should know about flags that were accepted.
func (f *FlagSet) Warnings() []string {
	return f.warnings
}

// Usage returns the help text: one flag with its default and meaning per line.
func (f *FlagSet) Usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nFlags, also as SOUK_<NAME> or MESOS_<NAME> in the environment; file:///path reads a value from a file.\n\n", strings.TrimSpace("Usage: "+f.command+" [flags] "+f.shape))
	for _, fl := range f.Flags() {
		spelling := fl.Name
		if f.flags[fl.Name].boolean {
			spelling = "[no-]" + spelling
		}
		fmt.Fprintf(&b, "  --%s", spelling)
		if fallback := f.flags[fl.Name].fallback; fallback != "" {
			fmt.Fprintf(&b, " (default %s)", fallback)
		}
		fmt.Fprintf(&b, "\n        %s\n", fl.Usage)
	}
	return b.String()
}

func (f *FlagSet) sorted() []*flag {
	all := make([]*flag, 0, len(f.flags))
	for _, fl := range f.flags {
		all = append(all, fl)
	}
	slices.SortFunc(all, func(a, b *flag) int { return cmp.Compare(a.name, b.name) })
	return all
}
