package board

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDrawings: the drawings in wiring/ are what the profiles say, and every line of a
// part ends at the header.
func TestDrawings(t *testing.T) {
	for _, p := range Profiles() {
		got := p.Drawing()
		file := filepath.Join("wiring", p.Name+".svg")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the profile says: go test ./board -update (%v)", file, err)
		}
		ends := 0
		d := xml.NewDecoder(bytes.NewReader(got))
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "path" {
				ends++
			}
		}
		wires := 0
		for _, port := range p.Ports {
			wires += len(port.Pins.each()) + 1 // its LED
			for _, supply := range []Pin{"3V3", "GND"} {
				if p.Header.At[supply] > 0 {
					wires++
				}
			}
		}
		if p.Button != "" {
			wires++
		}
		if ends != wires {
			t.Errorf("%s has %d wires, want %d", file, ends, wires)
		}
	}
}

// TestDrawingOfNames: what a user writes into a profile is text in the drawing.
func TestDrawingOfNames(t *testing.T) {
	p := aPi(t)
	p.Title = "<script>alert(1)</script>"
	p.Header.Labels = map[Pin]string{"GPIO16": "<a&b>"}
	if s := string(p.Drawing()); strings.Contains(s, "<script") || strings.Contains(s, "<a&") {
		t.Error("a title can be a program")
	}
}
