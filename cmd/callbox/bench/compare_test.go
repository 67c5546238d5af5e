//go:build bench

package bench

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// How much is measured; the goals are for the values given here.
var (
	rounds  = flag.Int("rounds", 3, "times that everything is measured")
	calls   = flag.Int("calls", 100, "bridged calls at the same time")
	seconds = flag.Int("seconds", 6, "length of each measurement of sound")
	parts   = flag.String("parts", "setup,sip,rest,bridge,features,memory,frames", "what to measure")
	paths   = flag.String("paths", "relay,decoded,recorded", "paths of bridged calls to measure")
)

func TestMain(m *testing.M) {
	if port := os.Getenv(childEnv); port != "" {
		if err := serveUAS(port); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// subject is a program under measurement and how calls reach it.
type subject struct {
	*process
	sip netip.AddrPort // of a gateway or user agent
	ng  *ngProtocol    // of rtpengine
}

// lab is what all measurements use.
type lab struct {
	t        *testing.T
	dir      string
	binary   string
	template string // the gateway's data folder
	full     string // the same with many calls in it; empty: not made yet
	account  string
	token    string
	ears     [2]*ear
	caller   *caller
	callee   *callee
	// calleeStyle is how the callee describes its sound in the calls that connect makes.
	calleeStyle style
	started     int // subjects so far
	report      report
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	l.binary, err = gatewayBinary()
	must(err)
	for i, host := range []string{westHost, eastHost} {
		l.ears[i], err = newEar(host)
		must(err)
		t.Cleanup(l.ears[i].close)
	}
	l.caller, err = newCaller(westHost, nil, int(l.ears[0].addr.Port()))
	must(err)
	t.Cleanup(l.caller.close)
	l.callee, err = newCallee(int(l.ears[1].addr.Port()))
	must(err)
	t.Cleanup(l.callee.phone.close)
	l.template = filepath.Join(l.dir, "template", "data")
	must(os.MkdirAll(l.template, 0o700))
	l.account, l.token, err = makeTemplate(l.binary, l.template, int(l.caller.phone.addr.Port()), int(l.callee.phone.addr.Port()))
	must(err)
	return l
}

// gateway starts the gateway with a fresh copy of the configured data folder.
func (l *lab) gateway() (*subject, error) {
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := copyFolder(l.template, data); err != nil {
		return nil, err
	}
	return startGateway(l.binary, data)
}

// uas starts the bare user agent.
func (l *lab) uas() (*subject, error) {
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	return startUAS(dir)
}

// engine starts rtpengine.
func (l *lab) engine() (*subject, error) {
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	return startRTPEngine(dir)
}

func (l *lab) folder() (string, error) {
	l.started++
	dir := filepath.Join(l.dir, fmt.Sprint(l.started))
	return dir, os.Mkdir(dir, 0o700)
}

// end stops a subject and frees what it has written.
func (l *lab) end(s *subject) {
	if s.ng != nil {
		s.ng.conn.Close()
	}
	s.stop()
	_ = os.RemoveAll(filepath.Dir(s.log)) // the folder goes with the test's at the latest
}

func (l *lab) tell(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// TestCompare measures and prints the table.
func TestCompare(t *testing.T) {
	l := newLab(t)
	began := time.Now()
	for _, p := range []struct {
		name    string
		measure func(round int) error
	}{{"setup", l.setup}, {"sip", l.signalling}, {"rest", l.rest}, {"bridge", l.bridge}, {"features", l.features}, {"memory", l.memory}} {
		if !strings.Contains(*parts, p.name) {
			continue
		}
		for round := range *rounds {
			if err := p.measure(round + 1); err != nil {
				t.Fatalf("%s, round %d: %v", p.name, round+1, err)
			}
		}
	}
	if strings.Contains(*parts, "frames") {
		if err := l.frames(); err != nil {
			t.Error(err)
		}
	}
	l.report.print(os.Stdout, time.Since(began))
}

// Figures of the measurement of set-up.
const (
	peakCalls    = 2000 // of the measurement of calls a second
	peakInFlight = 16
	steadyEvery  = 20 * time.Millisecond // 50 calls a second
	steadyCalls  = 250
	loadedCalls  = 30 // bridged, beside the measurement of set-up
)

// setup measures how calls are set up: how many a second, what they cost, how
// long they take.
func (l *lab) setup(round int) error {
	peer, err := l.uas()
	if err != nil {
		return err
	}
	defer l.end(peer)
	ours, err := l.gateway()
	if err != nil {
		return err
	}
	defer l.end(ours)
	for _, s := range []*subject{peer, ours} { // the first calls load code
		l.caller.aim(s.sip)
		if _, _, err := l.caller.place(batch{numberAnswer, 50, 5 * time.Millisecond, peakInFlight}); err != nil {
			return s.failure(err.Error())
		}
	}
	for _, s := range []*subject{peer, ours} {
		who := map[*subject]string{peer: "sipgo UAS", ours: "callbox"}[s]
		l.tell("set-up, round %d of %d: %s", round, *rounds, who)
		l.caller.aim(s.sip)
		before, err := s.cpu()
		if err != nil {
			return err
		}
		_, took, err := l.caller.place(batch{numberAnswer, peakCalls, 0, peakInFlight})
		if err != nil {
			return s.failure(err.Error())
		}
		wait(100 * time.Millisecond) // what is done after the last answer counts too
		after, err := s.cpu()
		if err != nil {
			return err
		}
		l.report.add(s == ours, "calls set up and ended per second", peakCalls/took.Seconds())
		l.report.add(s == ours, "CPU per call at full speed, ms", milliseconds(after-before)/peakCalls)
		times, _, err := l.caller.place(batch{numberAnswer, steadyCalls, steadyEvery, peakCalls})
		if err != nil {
			return s.failure(err.Error())
		}
		steady, err := s.cpu()
		if err != nil {
			return err
		}
		l.report.add(s == ours, "CPU per call at 50/s, ms", milliseconds(steady-after)/steadyCalls)
		l.report.add(s == ours, "set-up at 50/s p50, ms", milliseconds(percentile(times, 50)))
		l.report.add(s == ours, "set-up at 50/s p99, ms", milliseconds(percentile(times, 99)))
		if l.caller.repeats > 0 {
			l.report.note("%s: %d requests had to be repeated in round %d", who, l.caller.repeats, round)
		}
	}
	return l.loaded(ours)
}

// loaded measures set-up while calls are bridged.
func (l *lab) loaded(ours *subject) error {
	legs, up, err := l.connect(ours, numberBridge, 0, loadedCalls)
	if err != nil {
		return err
	}
	t := newTalk(l.ears, legs)
	wait(500 * time.Millisecond)
	times, _, err := l.caller.place(batch{numberAnswer, steadyCalls, steadyEvery, peakCalls})
	if err = errors.Join(err, t.end()); err != nil {
		return ours.failure(err.Error())
	}
	l.report.add(true, "set-up at 50/s beside 30 bridged calls p50, ms", milliseconds(percentile(times, 50)))
	l.report.add(true, "set-up at 50/s beside 30 bridged calls p99, ms", milliseconds(percentile(times, 99)))
	return l.caller.hangup(up)
}

// Figures of the measurement of memory.
const (
	memoryCalls    = 2500
	memoryEvery    = 2 * time.Millisecond // 500 calls a second
	memoryInFlight = 100
	// memoryBefore calls fill what the gateway keeps of the newest calls, whatever
	// their number: its ring of messages and events (call/trace).
	memoryBefore = 1500
)

// memory measures what a finished call keeps while its transactions may still
// see repeated messages.
func (l *lab) memory(round int) error {
	for _, ours := range []bool{false, true} {
		start, who := l.uas, "sipgo UAS"
		if ours {
			start, who = l.gateway, "callbox"
		}
		l.tell("memory, round %d of %d: %s", round, *rounds, who)
		s, err := start()
		if err != nil {
			return err
		}
		err = l.finished(s, ours)
		l.end(s)
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) finished(s *subject, ours bool) error {
	l.caller.aim(s.sip)
	if _, _, err := l.caller.place(batch{numberAnswer, memoryBefore, memoryEvery, memoryInFlight}); err != nil {
		return s.failure(err.Error())
	}
	wait(500 * time.Millisecond)
	before, err := s.rss()
	if err != nil {
		return err
	}
	_, took, err := l.caller.place(batch{numberAnswer, memoryCalls, memoryEvery, memoryInFlight})
	if err != nil {
		return s.failure(err.Error())
	}
	wait(time.Second)
	after, err := s.rss()
	if err != nil {
		return err
	}
	l.report.add(ours, "RSS per finished call, KiB", (after-before)/memoryCalls)
	l.report.add(ours, "RSS before, MiB", before/1024)
	l.report.add(ours, "RSS after 2,500 calls, MiB", after/1024)
	l.report.add(ours, "time for 2,500 calls, s", took.Seconds())
	return nil
}
