package board

import (
	"strings"
	"testing"
	"testing/fstest"

	"callbox/hal/bus"
)

// TestBuiltIn: every file is a board of its name, which can be wired and found.
func TestBuiltIn(t *testing.T) {
	all := Profiles()
	if len(all) < 9 {
		t.Fatalf("%d boards", len(all))
	}
	for _, p := range all {
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
		if got, err := builtIn(p.Name); err != nil || got.Name != p.Name || got.Title == "" {
			t.Errorf("file of %s: %+v, %v", p.Name, got, err)
		}
		for _, c := range p.Compatible {
			if name, _ := Detect(tree(c)); name != p.Name {
				t.Errorf("%s is found as %s", c, name)
			}
		}
		for _, port := range p.Ports {
			for _, n := range append(port.Pins.each(), namedPin{"led", port.LED.Pin}, namedPin{"button", p.Button}) {
				if at := p.Header.At[n.pin]; at < 1 || at > p.Header.Pins {
					t.Errorf("%s: %s of %s is at no pin of the header", p.Name, n.name, port.Name)
				}
			}
		}
	}
}

func tree(compatible string) fstest.MapFS {
	return fstest.MapFS{"proc/device-tree/compatible": {Data: []byte(compatible + "\x00")}}
}

func TestRef(t *testing.T) {
	for _, tt := range []struct {
		chip string
		pin  Pin
		want bus.PinRef
	}{
		{"pinctrl-rp1", "GPIO16", bus.PinRef{Name: "GPIO16", Chip: "pinctrl-rp1", Offset: 16}},
		{"", "GPIO16", bus.PinRef{Name: "GPIO16"}},
		{"pinctrl-rp1", "gpio-64-95:2", bus.PinRef{Chip: "gpio-64-95", Offset: 2}},
		{"pinctrl-rp1", "RING", bus.PinRef{Name: "RING"}},
	} {
		if got := (Profile{Chip: tt.chip}).ref(tt.pin); got != tt.want {
			t.Errorf("%s on %s: %+v", tt.pin, tt.chip, got)
		}
	}
}

// TestOwnBoard: a user's board is taken when it is named, and when it says that it is
// the machine; what it leaves out is as on the board that it is like.
func TestOwnBoard(t *testing.T) {
	own, err := Parse([]byte(`
name: lobby
title: The box in the lobby
like: pi4
compatible: ["raspberrypi,4-model-b"]
ports:
  - {name: fxs1, driver: ag1171, pins: {rm: GPIO17, fr: GPIO5, shk: GPIO12, pd: GPIO27}, card: codec, channel: 1, ring_hz: 20}
`))
	if err != nil {
		t.Fatal(err)
	}
	if own.Chip != "pinctrl-bcm2711" || own.Button != "GPIO4" || len(own.Ports) != 1 || own.Ports[0].Pins.RM != "GPIO17" || own.Ports[0].LED.Pin != "" {
		t.Errorf("%+v", own)
	}
	root := tree("raspberrypi,4-model-b")
	b, err := Open("auto", Config{Root: root, Profiles: []Profile{own}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Name != "lobby" {
		t.Errorf("found %s", b.Name)
	}
	if _, err := Open("cellar", Config{Root: root, Profiles: []Profile{own}}); err == nil || !strings.Contains(err.Error(), "lobby") {
		t.Errorf("a board that is not there: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"no YAML":        {"name: [", "read the board's profile"},
		"unknown field":  {"name: a\nlikes: pi", "likes"},
		"unknown base":   {"name: a\nlike: toaster", `no built-in board "toaster"`},
		"the simulated":  {"name: sim", "simulated board"},
		"auto":           {"name: auto", "auto"},
		"same line":      {"name: a\nlike: pi\nbutton: GPIO16", "the line GPIO16 is used by fxs1's rm and by the button"},
		"too long":       {"name: a\n#" + strings.Repeat("x", maxProfile), "at most"},
		"unknown driver": {"name: a\nports: [{name: x, driver: si3217}]", "only ag1171"},
	} {
		_, err := Parse([]byte(tt.file))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("name: a\nlike: pi\nports: [{name: x, driver: ag1171}]"))
	f.Add([]byte("name: a\nbutton: \"c:99999\""))
	f.Fuzz(func(t *testing.T, file []byte) {
		if p, err := Parse(file); err == nil && p.Validate() != nil {
			t.Errorf("accepted a board that is not valid: %+v", p)
		}
	})
}
