package apitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Pairs checks a file of testdata that holds what goes in and what comes of it:
//
//	=== Timeout
//	in Timeout=25
//	model RingTimeout=25s
//
// run gets the "in" lines of a pair as pairs of name and value, and gives the
// lines behind them, which -update rewrites. Lines that begin with "#" are comments.
// It gives the names of all that went in.
func Pairs(t *testing.T, name string, run func(t *testing.T, in []string) []string) map[string]bool {
	t.Helper()
	path := filepath.Join("testdata", name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	seen := map[string]bool{}
	head, blocks, _ := strings.Cut(string(b), "=== ")
	out.WriteString(head)
	for block := range strings.SplitSeq(blocks, "\n=== ") {
		title, lines, _ := strings.Cut(block, "\n")
		fmt.Fprintf(&out, "=== %s\n", title)
		var in []string
		for line := range strings.Lines(lines) {
			line = strings.TrimSuffix(line, "\n")
			if text, ok := strings.CutPrefix(line, "in "); ok {
				key, value, _ := strings.Cut(text, "=")
				in, seen[key] = append(in, key, value), true
				out.WriteString(line + "\n")
			} else if strings.HasPrefix(line, "#") {
				out.WriteString(line + "\n")
			}
		}
		for _, line := range run(t, in) {
			out.WriteString(line + "\n")
		}
		out.WriteString("\n")
	}
	Golden(t, name, strings.TrimSuffix(out.String(), "\n"))
	return seen
}

// Different gives the set fields of v that are others than those of base, as
// sorted lines "Script.Main.URL=http://…".
func Different(t *testing.T, base, v any) []string {
	t.Helper()
	was, is := flat(t, base), flat(t, v)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if was[key] != is[key] {
			lines = append(lines, key+"="+is[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[key]; !ok {
			lines = append(lines, key+" is empty")
		}
	}
	return lines
}

// flat is the fields of v by their paths.
func flat(t *testing.T, v any) map[string]string {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(Fields(t, v)), &tree); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	flatten(tree, "", out)
	return out
}

func flatten(tree any, path string, out map[string]string) {
	switch x := tree.(type) {
	case map[string]any:
		for key, v := range x {
			flatten(v, strings.TrimPrefix(path+"."+key, "."), out)
		}
	case []any:
		for i, v := range x {
			flatten(v, fmt.Sprintf("%s[%d]", path, i), out)
		}
	default:
		out[path] = fmt.Sprint(x)
	}
}

// Create posts a form to path and says what comes of it, as lines for [Pairs]:
// the fields of the request that differ from base's, warnings, or the error. ids
// are replaced by stable.
func (s *Server) Create(t *testing.T, path, form string, base any, stable func(string) string) []string {
	t.Helper()
	before := len(s.Box.Requests())
	resp, body := s.Do(t, "POST", path, form)
	var lines []string
	for _, w := range resp.Header.Values("Callbox-Warning") {
		lines = append(lines, "warning "+w)
	}
	made := s.Box.Requests()[before:]
	if resp.StatusCode/100 != 2 || len(made) != 1 {
		return append(lines, fmt.Sprintf("out %d %s", resp.StatusCode, stable(strings.TrimSpace(body))))
	}
	for _, line := range Different(t, base, made[0]) {
		if !strings.HasPrefix(line, "ID=") {
			lines = append(lines, "model "+line)
		}
	}
	return lines
}
