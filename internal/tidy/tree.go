// Package tidy owns the rules of the source tree itself: who may import whom,
// which packages stay pure, what is documented, which words are used. Each rule
// is a test, because a rule that nobody runs is a wish. It has no callers.
package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const module = "github.com/soukproject/souk/"

// A File is one hand-written or generated Go file of the tree.
type File struct {
	Path      string // from the root, with slashes
	Package   string // folder, from the root
	Test      bool
	Generated bool
	Syntax    *ast.File
	Fset      *token.FileSet
}

// Imports lists the file's imports; those of the module start at its root.
func (f File) Imports() []string {
	var paths []string
	for _, spec := range f.Syntax.Imports {
		paths = append(paths, strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module))
	}
	return paths
}

// Root is the folder that holds go.mod, at or above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Files parses every Go file below root.
func Files(root string) ([]File, error) {
	var files []File
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped(d.Name()) && path != root {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parse(fset, root, path)
		if err == nil {
			files = append(files, f)
		}
		return err
	})
	return files, err
}

func skipped(dir string) bool {
	return strings.HasPrefix(dir, ".") || dir == "testdata" || dir == "node_modules" || dir == "bin"
}

func parse(fset *token.FileSet, root, path string) (File, error) {
	syntax, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		return File{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return File{}, err
	}
	rel = filepath.ToSlash(rel)
	return File{
		Path:      rel,
		Package:   strings.TrimSuffix(filepath.ToSlash(filepath.Dir(rel)), "/"),
		Test:      strings.HasSuffix(rel, "_test.go"),
		Generated: ast.IsGenerated(syntax),
		Syntax:    syntax,
		Fset:      fset,
	}, nil
}

// Below reports whether pkg is pattern, or below it when pattern ends in "/...".
func Below(pkg, pattern string) bool {
	base, deep := strings.CutSuffix(pattern, "/...")
	return pkg == base || deep && strings.HasPrefix(pkg, base+"/")
}
