package laml_test

import (
	"flag"
	"os"
	"testing"

	"callbox/api/laml"
	"callbox/api/twilio"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// dialect is the family's reference member, at a fixed address.
func dialect() *laml.Dialect {
	return twilio.New(laml.Config{BaseURL: func() string { return "http://box.lan:8080" }})
}

// golden compares got with a file of testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s\nwant:\n%s", path, got, want)
	}
}
