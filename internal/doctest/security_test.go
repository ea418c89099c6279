package doctest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whoever reads which test guards against an escape finds that test.
func TestSecurityPageNamesTests(t *testing.T) {
	root := rootOf(t)
	page, err := os.ReadFile(filepath.Join(root, "docs/explanation/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := testsBelow(t, filepath.Join(root, "agent"))
	names := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1)
	if len(names) < 10 {
		t.Fatalf("the page names %d tests, want more", len(names))
	}
	for _, m := range names {
		if !there[m[1]] {
			t.Errorf("the page names %s, which there is not", m[1])
		}
	}
}

// testsBelow finds the names of all tests in a folder.
func testsBelow(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(data, -1) {
			found[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
