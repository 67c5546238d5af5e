package trace

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// laneWidth is the width of a lane of the ladder, in characters.
const laneWidth = 48

// Ladder draws entries for people: the box at the left, a lane for each address
// that it spoke with, an arrow for each message and a line for each event. full
// adds the text of every message. The error is w's.
func Ladder(w io.Writer, entries []Entry, full bool) error {
	b := bufio.NewWriter(w)
	if len(entries) == 0 {
		fmt.Fprintln(b, "nothing is remembered of this call; only the newest calls are kept, in memory")
		return b.Flush()
	}
	lanes := lanesOf(entries)
	fmt.Fprintf(b, "%10s  box", "s")
	for _, l := range lanes {
		fmt.Fprintf(b, "%*s", laneWidth, l)
	}
	fmt.Fprintln(b)
	began := entries[0].At
	for _, e := range entries {
		fmt.Fprintf(b, "%10.3f  ", max(0, e.At.Sub(began)).Seconds())
		if e.IsEvent() {
			fmt.Fprintf(b, "*   %s\n", e.Text)
			continue
		}
		fmt.Fprintln(b, arrow(e, slices.Index(lanes, lane(e)), len(lanes)))
		if full {
			for line := range strings.Lines(strings.TrimRight(e.Text, "\r\n")) {
				fmt.Fprintf(b, "%12s    %s\n", "", strings.Map(shown, strings.TrimRight(line, "\r\n")))
			}
			fmt.Fprintln(b)
		}
	}
	return b.Flush()
}

// shown replaces what would steer the reader's terminal.
func shown(r rune) rune {
	if unicode.IsControl(r) && r != '\t' {
		return unicode.ReplacementChar
	}
	return r
}

// lanesOf lists the far addresses in the order of their first message.
func lanesOf(entries []Entry) (lanes []string) {
	for _, e := range entries {
		if l := lane(e); !e.IsEvent() && !slices.Contains(lanes, l) {
			lanes = append(lanes, l)
		}
	}
	return lanes
}

func lane(e Entry) string {
	if !e.Remote.IsValid() { // hardware of the box
		return strings.TrimPrefix(e.Key, lineKey("")) + "/" + e.Transport
	}
	return e.Remote.String() + "/" + e.Transport
}

// arrow is a message from or to the lane'th of lanes far addresses.
func arrow(e Entry, lane, lanes int) string {
	label := " " + title(e.Text) + " "
	width := (lane+1)*laneWidth - 2
	if len(label) > width-4 {
		label = label[:width-5] + " "
	}
	left := (width - 2 - len(label)) / 2
	right := width - 2 - len(label) - left
	shaft := strings.Repeat("-", left) + label + strings.Repeat("-", right)
	if e.Sent {
		shaft = "-" + shaft + ">"
	} else {
		shaft = "<" + shaft + "-"
	}
	line := "|" + shaft + "|"
	for range lanes - lane - 1 {
		line += strings.Repeat(" ", laneWidth-1) + "|"
	}
	return line
}

// title is the first line of a message, short: the method or the status, with
// what its description of sound says in a word.
func title(text string) string {
	first, rest, _ := strings.Cut(text, "\n")
	first = strings.TrimRight(first, "\r")
	target := ""
	if status, ok := strings.CutPrefix(first, "SIP/2.0 "); ok {
		first = status
	} else if method, uri, ok := strings.Cut(first, " "); ok && strings.Contains(uri, "SIP/2.0") {
		uri, _, _ = strings.Cut(uri, " ")
		first = method
		if method == "INVITE" || method == "REFER" {
			target = " " + uri
		}
	}
	if strings.Contains(rest, "\nm=audio ") || strings.Contains(rest, "\nm=image ") {
		first += " (SDP)"
	}
	return first + target
}
