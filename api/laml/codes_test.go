package laml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCodeList: each code of the list of errors (call-api.md §1.5) stands in the
// golden file that is named beside it, or a sentence says why it is never given.
func TestCodeList(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "codes.list"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		code, what, ok := strings.Cut(line, " ")
		if line == "" || code == "#" {
			continue
		}
		if !ok || seen[code] || len(code) != 5 {
			t.Errorf("cannot use %q", line)
		}
		seen[code] = true
		if why, never := strings.CutPrefix(what, "never: "); never {
			if len(why) < 10 {
				t.Errorf("%s: no reason", code)
			}
			continue
		}
		file := what[strings.LastIndex(what, ": ")+2:]
		held, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Errorf("%s: %v", code, err)
		} else if !strings.Contains(string(held), code) {
			t.Errorf("%s does not hold %s", file, code)
		}
	}
	if len(seen) < 150 {
		t.Errorf("%d codes", len(seen))
	}
}
