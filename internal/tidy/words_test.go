package tidy

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryPackageHasOneComment: one place says what the package owns.
func TestEveryPackageHasOneComment(t *testing.T) {
	_, files := tree(t)
	comments := make(map[string][]string)
	for _, f := range files {
		if f.Test || f.Generated {
			continue
		}
		if _, seen := comments[f.Package]; !seen {
			comments[f.Package] = nil
		}
		if f.Syntax.Doc != nil {
			comments[f.Package] = append(comments[f.Package], f.Path)
		}
	}
	for pkg, where := range comments {
		if len(where) != 1 {
			t.Errorf("package %s has %d package comments %v, want 1", pkg, len(where), where)
		}
	}
}

// TestExportedNamesAreDocumented everywhere but in tests and generated code.
func TestExportedNamesAreDocumented(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		if f.Test || f.Generated || strings.HasPrefix(f.Package, "cmd/") {
			continue
		}
		for _, decl := range f.Syntax.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no comment", f.Path, name)
			}
		}
	}
}

func undocumented(decl ast.Decl) []string {
	var names []string
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && !onUnexported(d) && !wellKnown(d.Name.Name) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				names = append(names, s.Name.Name)
			}
		}
	}
	return names
}

func onUnexported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	if index, ok := typ.(*ast.IndexListExpr); ok {
		typ = index.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && !id.IsExported()
}

// wellKnown methods say all by their name.
func wellKnown(name string) bool {
	return slices.Contains([]string{"String", "Error", "Unwrap", "Close", "Len", "Less", "Swap", "Push", "Pop", "ServeHTTP", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "Write", "Read", "Is"}, name)
}

// TestNoDrawers: a package is a noun of the field, not a drawer.
func TestNoDrawers(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		base := f.Package[strings.LastIndexByte(f.Package, '/')+1:]
		if slices.Contains([]string{"util", "utils", "common", "types", "helpers", "helper", "manager", "misc", "base", "lib"}, base) {
			t.Errorf("%s: %q says nothing about what is inside", f.Path, base)
		}
	}
}

// TestNoInit: nothing happens by being imported. The containerizer's main must
// lock its thread before libcontainer runs, and says so.
func TestNoInit(t *testing.T) {
	_, files := tree(t)
	for _, f := range files {
		if f.Generated || f.Package == "cmd/souk-containerizer" {
			continue
		}
		for _, decl := range f.Syntax.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
				t.Errorf("%s: func init: wire it from main", f.Path)
			}
		}
	}
}

// TestLinksInDocsResolve: a page that points nowhere helps nobody.
func TestLinksInDocsResolve(t *testing.T) {
	root, _ := tree(t)
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	pages, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		more, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	if len(pages) < 5 {
		t.Fatalf("found %d pages, want README and docs", len(pages))
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}
