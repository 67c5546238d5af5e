package corpus

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed texts/*.txt
var textFiles embed.FS

// texts are what is said in one language, by kind ("hello", "mobile", …).
type texts map[string][]string

// readTexts reads one language's file: "[kind]" and the lines below it; "(a|b|)" in a
// line stands for one of a, b and nothing.
func readTexts(language string) (texts, error) {
	b, err := textFiles.ReadFile("texts/" + language + ".txt")
	if err != nil {
		return nil, fmt.Errorf("no texts in the language %s: %w", language, err)
	}
	t := texts{}
	kind := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			kind = strings.TrimSuffix(name, "]")
		} else if line != "" {
			t[kind] = append(t[kind], line)
		}
	}
	return t, nil
}
