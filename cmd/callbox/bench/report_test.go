//go:build bench

package bench

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// line is one line of the table. must and good bound the ratio of callbox to
// the peer, or callbox's figure itself without a peer; 0 and 0 is no goal.
type line struct {
	what       string
	absolute   bool // the goal is for the figure, the peer's only for comparison
	must, good float64
}

// section is a part of the table.
type section struct {
	title, peer string
	lines       []line
}

// table is what is printed, in this order. The goals are those of the project.
var table = []section{
	{"Setting calls up: INVITE, 200, ACK, BYE", "sipgo UAS", []line{
		{what: "calls set up and ended per second"},
		{what: "CPU per call at full speed, ms"},
		{what: "CPU per call at 50/s, ms"},
		{what: "set-up at 50/s p50, ms"},
		{what: "set-up at 50/s p99, ms"},
		{what: "set-up at 50/s beside 30 bridged calls p50, ms"},
		{what: "set-up at 50/s beside 30 bridged calls p99, ms"},
	}},
	{"Registrations with digest (REGISTER, 401, REGISTER, 200), 16 at a time", "kamailio", []line{
		{what: registrationsRate},
		{what: registrationP50},
		{what: registrationP99},
	}},
	{"TLS handshakes, 8 at a time", "sipgo UAS", []line{
		{what: handshakesRate},
		{what: handshakeP99},
	}},
	{"Setting calls up with digest (INVITE, 401, INVITE, 200, ACK, BYE)", "", []line{
		{what: digestRate},
		{what: digestP50},
		{what: digestP99},
		{what: digestLoadedP50},
		{what: digestLoadedP99},
	}},
	{"Calls over the REST API", "", []line{
		{what: createCPU, absolute: true, must: 1, good: 1},
		{what: steadyCPU},
		{what: wholeCPU},
		{what: createP50},
		{what: createP99},
		{what: listNewest, absolute: true, must: 50, good: 50},
		{what: listDay, absolute: true, must: 50, good: 50},
	}},
	{"Memory of 2,500 finished calls while their transactions live", "sipgo UAS", []line{
		{what: "RSS per finished call, KiB", must: 1, good: 0.3},
		{what: "RSS before, MiB"},
		{what: "RSS after 2,500 calls, MiB"},
		{what: "time for 2,500 calls, s"},
	}},
	{"Bridged G.711 calls, both sides talking, relay path", "rtpengine", carriedLines("relay", true)},
	{"The same, decoded path", "rtpengine", carriedLines("decoded", false)},
	{"The same, decoded and recorded in stereo", "rtpengine", carriedLines("decoded and recorded", false)},
	{"Calls whose sound something is done with, everybody talking, each by a process of its own", "relayed", featureLines()},
	{"The measuring side itself", "", []line{
		{what: "the ears alone: delay p50, ms"},
		{what: "the ears alone: delay p99, ms"},
		{what: "packets sent more than 1 ms late, %"},
	}},
}

func carriedLines(path string, relay bool) []line {
	out := []line{
		{what: "CPU of 100 calls, % of a core"},
		{what: "delay p50, ms"},
		{what: "delay p99, ms"},
		{what: "RSS per call, KiB", absolute: true},
		{what: "sound not heard as it was said, ‰"},
	}
	if relay {
		out[0].must, out[0].good = 1.6, 1.2
		out[1].must, out[1].good = 2, 1.2
		out[2].must, out[2].good = 2, 1.2
	}
	if path != "decoded and recorded" { // a recording has buffers of its own, and no goal
		out[3].must, out[3].good = 110, 55
		out = append(out, line{what: "delay that stays 1 s after a stall of 0.4 s, ms", absolute: true, must: 20, good: 5})
	}
	for i := range out {
		out[i].what = path + ": " + out[i].what
	}
	return out
}

// report gathers figures, one per round, by the line they belong to.
type report struct {
	ours, peer map[string][]float64
	notes      []string
	frames     []frame
}

func (r *report) add(ours bool, what string, v float64) {
	if r.ours == nil {
		r.ours, r.peer = map[string][]float64{}, map[string][]float64{}
	}
	if ours {
		r.ours[what] = append(r.ours[what], v)
	} else {
		r.peer[what] = append(r.peer[what], v)
	}
}

// lateness notes which part of the packets the measuring side sent late.
func (r *report) lateness(part float64) { r.add(true, "packets sent more than 1 ms late, %", 100*part) }

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// print writes the table: medians with the smallest and largest of the rounds.
func (r *report) print(out io.Writer, took time.Duration) {
	fmt.Fprintf(out, "\ncallbox beside its peers: %d rounds in %s on %d processors%s\n"+
		"Each figure is the median of the rounds (smallest to largest); the ratio is callbox to the\n"+
		"peer of the same round. Goals are for the ratio, or where a unit stands, for the figure.\n",
		*rounds, took.Round(time.Second), runtime.NumCPU(), loadAverage())
	for _, s := range table {
		r.printSection(out, s)
	}
	r.printFrames(out)
	fmt.Fprintf(out, "\nGoals against Asterisk are not judged: Debian 12 has no Asterisk.\n")
	for _, n := range r.notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
}

func (r *report) printSection(out io.Writer, s section) {
	if !slices.ContainsFunc(s.lines, func(l line) bool { return len(r.ours[l.what]) > 0 }) {
		return
	}
	fmt.Fprintf(out, "\n%s\n", s.title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  \t%s\tcallbox\tratio\tmust\tgood\t\n", s.peer)
	for _, l := range s.lines {
		ours, peer := r.ours[l.what], r.peer[l.what]
		if len(ours) == 0 {
			continue
		}
		ratio := ratios(ours, peer)
		judged := ratio
		if l.absolute {
			judged = ours
		}
		_, what, cut := strings.Cut(l.what, ": ")
		if !cut || s.peer == "" {
			what = l.what
		} else if s.peer == plainRelay {
			what += ", CPU of 100 parties, % of a core"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", what, spread(peer), spread(ours), spread(ratio), l.verdict(judged))
	}
	w.Flush()
}

// verdict is the goals and whether they are reached.
func (l line) verdict(figures []float64) string {
	if l.good == 0 || len(figures) == 0 {
		return "\t\t"
	}
	v := median(figures)
	word := "MISSED"
	if v <= l.good {
		word = "good"
	} else if v <= l.must {
		word = "reached"
	}
	unit := ""
	if l.absolute {
		unit = l.what[strings.LastIndex(l.what, ", ")+1:]
	}
	return fmt.Sprintf("≤%g%s\t≤%g%s\t%s", l.must, unit, l.good, unit, word)
}

// ratios divides figures of the same round.
func ratios(ours, peer []float64) []float64 {
	var out []float64
	for i := range min(len(ours), len(peer)) {
		if peer[i] > 0 {
			out = append(out, ours[i]/peer[i])
		}
	}
	return out
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// spread is a median with the smallest and largest.
func spread(v []float64) string {
	switch len(v) {
	case 0:
		return ""
	case 1:
		return number(v[0])
	}
	if slices.Min(v) == slices.Max(v) {
		return number(v[0])
	}
	return fmt.Sprintf("%s (%s–%s)", number(median(v)), number(slices.Min(v)), number(slices.Max(v)))
}

// number shows three digits that mean something.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// percentile is the p-th percentile, 0 of nothing.
func percentile(v []time.Duration, p int) time.Duration {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[min(len(s)*p/100, len(s)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// loadAverage tells how busy the machine was.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if err != nil || len(f) == 0 {
		return ""
	}
	return ", load average at the end " + f[0]
}
