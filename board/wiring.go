package board

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"slices"
	"strconv"
)

// The drawing's measures in pixels.
const (
	pitch    = 18  // between pins of the header
	headerX  = 90  // of its left row
	chipX    = 520 // of the line chips
	chipW    = 150
	rowH     = 22 // between pins of a chip
	chipTop  = 70
	wireStep = 9 // between wires that run side by side
)

// slicPins are those of the Ag1171 that the box uses, with their numbers (data sheet
// v1.6), and what they are for.
func slicPins() []struct{ name, label string } {
	return []struct{ name, label string }{
		{"rm", "4 RM ring mode"}, {"fr", "3 F/R forward/reverse"}, {"shk", "5 SHK switch hook"}, {"pd", "14 PD power down"},
		{"3V3", "13 +V 3.3 V"}, {"GND", "12 GND"},
	}
}

// wire is a connection of the drawing.
type wire struct {
	pin    Pin
	x, y   int // its end at the chip, LED or button
	colour string
}

// Drawing gives the wiring of the board as an SVG document: its header, and a line to
// each part. A board without a header has a drawing that says so.
func (p Profile) Drawing() []byte {
	d := drawing{p: p, y: chipTop}
	d.parts()
	height := max(chipTop+(p.Header.Pins+1)/2*pitch, d.y) + 40
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="%d" viewBox="0 0 760 %d" font-family="sans-serif" font-size="12">`+"\n", height, height)
	fmt.Fprintf(&b, `<rect width="760" height="%d" fill="white"/>`+"\n", height)
	fmt.Fprintf(&b, `<text x="20" y="28" font-size="18">%s</text>`+"\n", html.EscapeString(p.Title))
	if p.Header.Pins == 0 {
		b.WriteString(`<text x="20" y="60">Nothing is wired to this board: its lines are on USB and in the network.</text>` + "\n</svg>\n")
		return b.Bytes()
	}
	d.header(&b)
	d.wires(&b)
	b.Write(d.boxes.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawing collects the parts on the right and where their wires end.
type drawing struct {
	p     Profile
	y     int
	boxes bytes.Buffer
	ends  []wire
}

// parts draws chips, LEDs and the button from top to bottom.
func (d *drawing) parts() {
	colours := map[string]string{"rm": "#c0392b", "fr": "#d35400", "shk": "#2471a3", "pd": "#7d3c98", "3V3": "#e74c3c", "GND": "#222222"}
	for _, port := range d.p.Ports {
		if port.Driver != ag1171 {
			continue
		}
		pins := map[string]Pin{"3V3": "3V3", "GND": "GND"}
		for _, n := range port.Pins.each() {
			pins[n.name] = n.pin
		}
		d.box(port.Name+": Ag1171S", len(slicPins()))
		for _, s := range slicPins() {
			d.end(pins[s.name], s.label, colours[s.name])
		}
		d.note("9 VIN through 10 nF, 10 VOUT through 100 nF:")
		d.note(channelName(port.Channel) + " channel of " + d.part(port.Card))
		d.note("1 RING, 2 TIP: the telephone")
		if port.LED.Pin != "" {
			d.box("LED of "+port.Name+", 330 Ω to GND", 1)
			d.end(port.LED.Pin, "lit when high", "#229954")
		}
		d.y += 12
	}
	if d.p.Button != "" {
		d.box("reset button to GND", 1)
		d.end(d.p.Button, "pressed when low", "#34495e")
	}
	if d.p.Lifeline != "" {
		d.box("lifeline relay, by a transistor", 1)
		d.end(d.p.Lifeline, "pulled when high", "#34495e")
	}
	for _, m := range d.p.Modems {
		for _, l := range []struct {
			pin         Pin
			name, label string
		}{{m.PowerKey, "PWRKEY of the modem ", "pressed when high"}, {m.Reset, "RESET_N of the modem ", "resets when high"}} {
			if l.pin != "" {
				d.box(l.name+m.Port+", by a transistor", 1)
				d.end(l.pin, l.label, "#34495e")
			}
		}
	}
	if d.p.Header.Supply != "" {
		d.note("3.3 V: " + d.p.Header.Supply)
	}
}

// channelName is a channel of a stereo card.
func channelName(n int) string {
	if n < 2 {
		return []string{"left", "right"}[n]
	}
	return strconv.Itoa(n)
}

// part is what a card is.
func (d *drawing) part(card string) string {
	for _, c := range d.p.Cards {
		if c.Name == card {
			return cmp.Or(c.Part, c.Name)
		}
	}
	return card
}

func (d *drawing) box(title string, rows int) {
	fmt.Fprintf(&d.boxes, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", chipX, d.y-4, html.EscapeString(title))
	fmt.Fprintf(&d.boxes, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#444"/>`+"\n", chipX, d.y, chipW+60, rows*rowH)
}

// end draws a row of a box, to which a wire goes.
func (d *drawing) end(pin Pin, label, colour string) {
	y := d.y + rowH/2
	fmt.Fprintf(&d.boxes, `<text x="%d" y="%d">%s</text>`+"\n", chipX+8, y+4, html.EscapeString(label))
	d.ends = append(d.ends, wire{pin: pin, x: chipX, y: y, colour: colour})
	if d.y += rowH; d.last() {
		d.y += rowH
	}
}

// last reports whether the row just drawn ends its box.
func (d *drawing) last() bool {
	n := len(d.ends)
	return d.ends[n-1].pin == "GND" || d.ends[n-1].colour == "#229954" || d.ends[n-1].colour == "#34495e"
}

func (d *drawing) note(text string) {
	fmt.Fprintf(&d.boxes, `<text x="%d" y="%d" fill="#555" font-size="9">%s</text>`+"\n", chipX, d.y-6, html.EscapeString(text))
	d.y += 14
}

// at is the middle of a header pin.
func (d *drawing) at(n int) (x, y int) {
	return headerX + (n-1)%2*pitch, chipTop + (n-1)/2*pitch
}

// label is what people call a line.
func (d *drawing) label(pin Pin) string { return cmp.Or(d.p.Header.Labels[pin], string(pin)) }

// header draws all its pins, those in use with their names.
func (d *drawing) header(b *bytes.Buffer) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", headerX-20, chipTop-22, html.EscapeString(d.p.Header.Name))
	used := map[int]Pin{}
	for pin, n := range d.p.Header.At {
		used[n] = pin
	}
	for n := 1; n <= d.p.Header.Pins; n++ {
		x, y := d.at(n)
		fill := "#ddd"
		if used[n] != "" {
			fill = "#f4d03f"
		}
		fmt.Fprintf(b, `<circle cx="%d" cy="%d" r="6" fill="%s" stroke="#444"/><text x="%d" y="%d" font-size="7" text-anchor="middle">%d</text>`+"\n", x, y, fill, x, y+3, n)
		if used[n] == "" {
			continue
		}
		anchor, tx := "end", x-12
		if n%2 == 0 {
			anchor, tx = "start", x+12
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" font-size="10" text-anchor="%s">%s</text>`+"\n", tx, y-5, anchor, html.EscapeString(d.label(used[n])))
	}
}

// wires draws the connections, each down a lane of its own so that no two cover each
// other.
func (d *drawing) wires(b *bytes.Buffer) {
	lanes := slices.Clone(d.ends)
	slices.SortStableFunc(lanes, func(a, c wire) int { return d.p.Header.At[c.pin] - d.p.Header.At[a.pin] })
	for i, w := range lanes {
		n, ok := d.p.Header.At[w.pin]
		if !ok {
			continue
		}
		x, y := d.at(n)
		lane := headerX + 90 + i*wireStep
		if n%2 == 1 { // from the left row it passes between two pins of the right one
			fmt.Fprintf(b, `<path d="M%d %d l6 %d H%d V%d H%d" fill="none" stroke="%s"/>`+"\n", x+6, y, pitch/2, lane, w.y, w.x, w.colour)
			continue
		}
		fmt.Fprintf(b, `<path d="M%d %d H%d V%d H%d" fill="none" stroke="%s"/>`+"\n", x+6, y, lane, w.y, w.x, w.colour)
	}
}
