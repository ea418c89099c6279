package tidy

import (
	"go/ast"
	"slices"
	"testing"
)

// impure lists what a pure package must not import: it would let the world in.
func impure() []string {
	return []string{
		"net/...", "os/...", "sync/...", "syscall", "io/ioutil", "math/rand", "log/...", "context", "runtime/...",
		"golang.org/x/sys/...", "go.uber.org/zap/...", "github.com/gorilla/mux", "crypto/rand", "testing",
	}
}

// TestPurePackagesImportNothingOfTheWorld: net/url is arithmetic on text and allowed.
func TestPurePackagesImportNothingOfTheWorld(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		if f.Test || f.Generated || !isPure(f.Package) {
			continue
		}
		for _, path := range f.Imports() {
			bad := slices.ContainsFunc(impure(), func(p string) bool { return Below(path, p) })
			if bad && path != "net/url" && path != "net/netip" {
				t.Errorf("%s imports %s: a pure package decides and does nothing else", f.Path, path)
			}
		}
	}
}

// TestPurePackagesReadNoClock: time, chance and goroutines are the caller's.
func TestPurePackagesReadNoClock(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		if f.Test || f.Generated || !isPure(f.Package) {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: go statement in a pure package", f.Fset.Position(n.Pos()))
			case *ast.SelectStmt:
				t.Errorf("%s: select in a pure package", f.Fset.Position(n.Pos()))
			case *ast.CallExpr:
				if name := called(n); ambient(name) {
					t.Errorf("%s: %s in a pure package: take it as an argument", f.Fset.Position(n.Pos()), name)
				}
			}
			return true
		})
	}
}

// called is the "package.Function" of a call, "" for anything else.
func called(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}

func ambient(name string) bool {
	return slices.Contains([]string{
		"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.NewTimer", "time.AfterFunc", "time.Tick", "time.NewTicker",
		"rand.Int", "rand.IntN", "rand.Float64", "rand.Perm", "rand.Shuffle", "rand.Uint64", "rand.N", "uuid.New", "uuid.NewString",
	}, name)
}
