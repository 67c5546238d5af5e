package main

import (
	"go/build"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackageComments wants of every package a comment that starts as Go's
// tools expect it and says what it owns, what it may import and how it is tested.
func TestPackageComments(t *testing.T) {
	for _, pkg := range packages(t) {
		p, err := build.Import("callbox/"+pkg, ".", 0)
		if err != nil {
			t.Errorf("%s: %v", pkg, err)
			continue
		}
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		doc := packageComment(t, p)
		start := "Package " + p.Name + " "
		if p.IsCommand() {
			start = strings.ToUpper(path.Base(pkg)[:1]) + path.Base(pkg)[1:] + " "
		}
		if !strings.HasPrefix(doc, start) {
			t.Errorf("%s: the package comment does not start with %q", pkg, start)
		}
		for _, word := range []string{"import", "test"} {
			if !strings.Contains(doc, word) {
				t.Errorf("%s: the package comment does not say what it may import and how it is tested (no %q)", pkg, word)
			}
		}
	}
}

func packageComment(t *testing.T, p *build.Package) string {
	var docs []string
	for _, f := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		if file.Doc != nil {
			docs = append(docs, file.Doc.Text())
		}
	}
	if len(docs) > 1 {
		t.Errorf("%s: %d files have a package comment", p.ImportPath, len(docs))
	}
	return strings.Join(docs, "\n")
}
