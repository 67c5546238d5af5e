package gsm_test

import (
	"encoding/binary"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/gsm"
)

// maker is a modem whose dialogue is played back: where its lines are, and what it
// says before and after its sound flows.
type maker struct {
	file            string
	vendor, product uint16
	at, pcm         int // USB interfaces
	model, firmware string
	voice           string
	early, keys     bool
	on, off         string // the commands between which sound flows; empty: until the end
	signal          int
	clock           bool // it tells the network's time
	restarts        bool // after the call whose sound started late
}

func makers() []maker {
	return []maker{
		{file: "ec25", vendor: 0x2c7c, product: 0x0125, at: 2, pcm: 1, model: "EC25", firmware: "EC25EFAR06A06M4G", voice: "VoLTE",
			early: true, keys: true, clock: true, on: "AT+QPCMV=1,0", signal: -65},
		{file: "sim7600", vendor: 0x1e0e, product: 0x9001, at: 2, pcm: 4, model: "SIMCOM_SIM7600E-H", firmware: "LE20B05SIM7600G22",
			voice: "falls back from LTE to 2G or 3G (CSFB)", keys: true, clock: true, on: "AT+CPCMREG=1", off: "AT+CPCMREG=0,1", signal: -77, restarts: true},
		{file: "e1550", vendor: 0x12d1, product: 0x1001, at: 2, pcm: 1, model: "E173", firmware: "11.126.15.00.209", voice: "3G",
			early: true, on: "AT^DDSETEX=2", signal: -79},
	}
}

// replay is a port whose modem is a dialogue.
type replay struct {
	t      *testing.T
	m      maker
	player *at.Player
	pcm    *pcmLine
	hub    *gsm.Hub
	port   *gsm.Port
	in     *inbox
	opened bool
}

func (r *replay) TTYs() ([]hal.TTY, error) {
	var list []hal.TTY
	for n, path := range map[int]string{r.m.at: "/dev/ttyUSB2", r.m.pcm: "/dev/ttyUSB10"} {
		list = append(list, hal.TTY{Path: path, Vendor: r.m.vendor, Product: r.m.product, Interface: n, Place: "1-1.4"})
	}
	return list, nil
}

func (r *replay) OpenPort(path string) (io.ReadWriteCloser, error) {
	if path != "/dev/ttyUSB2" || r.opened {
		return nil, hal.ErrGone
	}
	r.opened = true
	return r.player, nil
}

func (r *replay) OpenStream(path string) (hal.Stream, error) {
	if path != "/dev/ttyUSB10" {
		return nil, hal.ErrGone
	}
	return r.pcm, nil
}

// trace lets the sound flow between the commands that start and end it.
func (r *replay) trace(e at.Entry) {
	switch {
	case !e.Out:
	case e.Text == r.m.on:
		r.pcm.flow(true)
	case e.Text == r.m.off:
		r.pcm.flow(false)
	}
}

// pcmLine is a line for sound: 320 bytes each 20 ms while it flows, all samples alike.
type pcmLine struct {
	mu      sync.Mutex // guards what follows
	flowing bool
	next    time.Time
	got     []byte
	change  chan struct{}
}

const fromModem, toModem = 1000, -2000

func (l *pcmLine) flow(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flowing == on {
		return
	}
	l.flowing, l.next = on, time.Now().Add(20*time.Millisecond)
	close(l.change)
	l.change = make(chan struct{})
}

func (l *pcmLine) ReadUntil(p []byte, until time.Time) (int, error) {
	for {
		l.mu.Lock()
		wait, change := time.Until(until), l.change
		if l.flowing {
			if wait = min(wait, time.Until(l.next)); !time.Now().Before(l.next) {
				l.next = l.next.Add(20 * time.Millisecond)
				n := min(320, len(p)) &^ 1
				for i := 0; i < n; i += 2 {
					binary.LittleEndian.PutUint16(p[i:], fromModem)
				}
				l.mu.Unlock()
				return n, nil
			}
		}
		l.mu.Unlock()
		if wait <= 0 {
			return 0, nil
		}
		select {
		case <-change:
		case <-time.After(wait):
		}
	}
}

func (l *pcmLine) TryWrite(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flowing {
		l.got = append(l.got, p...)
	}
	return len(p), nil
}

func (l *pcmLine) Discard() error { return nil }
func (l *pcmLine) Close() error   { return nil }

// sounds has sound flow both ways for so many seconds.
func (r *replay) sounds(seconds int) {
	r.t.Helper()
	heard, frame := 0, make([]int16, 160)
	for range 50 * seconds {
		if _, err := r.port.Sound().Read(frame); err != nil {
			r.t.Fatal(err)
		}
		if frame[0] == fromModem && frame[159] == fromModem {
			heard++
		}
		for i := range frame {
			frame[i] = toModem
		}
		if _, err := r.port.Sound().Write(frame); err != nil {
			r.t.Fatal(err)
		}
	}
	r.pcm.mu.Lock()
	defer r.pcm.mu.Unlock()
	said := 0
	for i := 0; i+1 < len(r.pcm.got); i += 2 {
		if int16(binary.LittleEndian.Uint16(r.pcm.got[i:])) == toModem {
			said++
		}
	}
	if heard < 45*seconds || said < 45*seconds*160 {
		r.t.Errorf("in %d s %d frames heard, %d samples said", seconds, heard, said)
	}
}

// dialogue puts parts of a file together, a pause between them.
func dialogue(t *testing.T, file string, pause time.Duration, names ...string) []at.Entry {
	t.Helper()
	b, err := os.ReadFile("testdata/replay/" + file + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(string(b), "\n## ") {
		name, text, _ := strings.Cut(p, "\n")
		parts[name] = text
	}
	var all []at.Entry
	for _, n := range names {
		list, err := at.ReadTrace(strings.NewReader(parts[n]))
		if err != nil || len(list) == 0 {
			t.Fatalf("part %q of %s: %v, %d lines", n, file, err, len(list))
		}
		var from time.Duration
		if len(all) > 0 {
			from = all[len(all)-1].At.Sub(time.Time{}) + pause
		}
		for _, e := range list {
			e.At = e.At.Add(from)
			all = append(all, e)
		}
	}
	return all
}

// play runs a scene against the parts of each maker's dialogue, in a bubble.
func play(t *testing.T, c gsm.Config, scene func(r *replay), names ...string) {
	for _, m := range makers() {
		t.Run(m.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &replay{t: t, m: m, pcm: &pcmLine{change: make(chan struct{})}, in: &inbox{parts: map[string][]string{}},
					player: at.NewPlayer(dialogue(t, m.file, 5*time.Second, names...))}
				r.hub = gsm.NewHub(r, nil)
				c.Name, c.Trace, c.Texts = "gsm1", r.trace, r.in
				r.port = r.hub.Port(c)
				defer r.hub.Close() //nolint:errcheck // played
				scene(r)
				<-time.After(time.Minute) // nothing else is said but what polls
				if err := r.player.Err(); err != nil || r.player.Left() > 0 {
					t.Errorf("%v; %d lines left", err, r.player.Left())
				}
				if t.Failed() {
					for _, n := range r.port.State().History {
						t.Logf("%s %s", n.At.Format("15:04:05.000"), n.Text)
					}
				}
			})
		})
	}
}

func (r *replay) until(what string, ok func(s hal.ModemState) bool) hal.ModemState {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
		s := r.port.State()
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			r.t.Fatalf("not %s: %v %q; %v", what, s.OK, s.Text, r.player.Err())
		}
	}
}

func (r *replay) ready() hal.ModemState {
	r.t.Helper()
	return r.until("ready", func(s hal.ModemState) bool { return s.OK && s.Signal != 0 })
}

// next waits for events, two minutes each, and gives the last.
func (r *replay) next(want ...hal.ModemEventType) (e hal.ModemEvent) {
	r.t.Helper()
	for _, w := range want {
		select {
		case e = <-r.port.Events():
			if e.Type != w {
				r.t.Fatalf("event %v (%+v), want %v; %v", e.Type, e, w, r.player.Err())
			}
		case <-time.After(2 * time.Minute):
			r.t.Fatalf("no %v event; %v, %d lines left", w, r.player.Err(), r.player.Left())
		}
	}
	return e
}

func (r *replay) dial() {
	r.t.Helper()
	r.ready()
	if err := r.port.Dial(r.t.Context(), "+15550123", false); err != nil {
		r.t.Fatal(err)
	}
}

// rings are the events of a far telephone that rings.
func (r *replay) rings() {
	r.t.Helper()
	if r.next(hal.ModemAlerting); r.m.early {
		r.next(hal.ModemEarly)
	}
}

func (r *replay) released(q850 int, by hal.Side) {
	r.t.Helper()
	if e := r.next(hal.ModemReleased); e.Release.Q850 != q850 || e.Release.By != by {
		r.t.Errorf("released %+v, want %d by %v", e.Release, q850, by)
	}
}

// The dialogues in testdata/replay were written from what is known of the modems, not
// recorded from those of hal/sim: every command that is no poll must be the one that
// stands there, in its order.

func TestReplayStart(t *testing.T) {
	play(t, gsm.Config{}, func(r *replay) {
		s := r.ready()
		for what, v := range map[string][2]string{"model": {s.Model, r.m.model}, "firmware": {s.Firmware, r.m.firmware}, "SIM's number": {s.Number, "+15550100"},
			"ICCID": {s.ICCID, "8949020000012345678"}, "operator": {s.Operator, "Atlanta Mobile"}, "network": {s.Network, "registered"}, "voice": {s.Voice, r.m.voice}} {
			if v[0] != v[1] {
				r.t.Errorf("%s %q, want %q", what, v[0], v[1])
			}
		}
		if want := time.Date(2026, 11, 21, 16, 43, 0, 0, time.UTC); r.m.clock {
			r.until("told the time", func(s hal.ModemState) bool { return s.NetworkTime.Equal(want) })
		}
		if s.Signal != r.m.signal || s.HearsDigits != r.m.keys {
			r.t.Errorf("signal %d, hears digits %v", s.Signal, s.HearsDigits)
		}
	}, "hello", "unlocked", "setup")
}

func TestReplayPIN(t *testing.T) {
	play(t, gsm.Config{PIN: "4711"}, func(r *replay) { r.ready() }, "hello", "pin", "setup")
}

// The last try is not used, and a PIN that was refused is not tried again.
func TestReplayPINTrouble(t *testing.T) {
	for part, want := range map[string]string{"last try": "has 1 tries left", "wrong pin": "has refused the PIN"} {
		t.Run(part, func(t *testing.T) {
			play(t, gsm.Config{PIN: "4711"}, func(r *replay) {
				r.until(part, func(s hal.ModemState) bool { return strings.Contains(s.Text, want) })
			}, "hello", part)
		})
	}
}

func TestReplayAnswered(t *testing.T) {
	play(t, gsm.Config{}, func(r *replay) {
		r.dial()
		r.rings()
		r.next(hal.ModemAnswered)
		<-time.After(time.Second)
		for _, key := range "5#" {
			if err := r.port.SendDigit(r.t.Context(), byte(key)); err != nil {
				r.t.Fatal(err)
			}
		}
		if r.m.keys {
			if e := r.next(hal.ModemDigit); e.Digit != '7' {
				r.t.Errorf("the far end pressed %q", e.Digit)
			}
		}
		r.sounds(1)
		r.released(16, hal.ByFarEnd)
		if r.m.restarts {
			r.until("restarted", func(s hal.ModemState) bool { return s.Counters.Restarts == 1 })
		}
	}, "hello", "unlocked", "setup", "answered")
}

func TestReplayNotAnswered(t *testing.T) {
	for _, c := range []struct {
		part string
		q850 int
		by   hal.Side
	}{{"busy", 17, hal.ByFarEnd}, {"no answer", 19, hal.ByFarEnd}, {"given up", 16, hal.ByBox}} {
		t.Run(c.part, func(t *testing.T) {
			play(t, gsm.Config{}, func(r *replay) {
				r.dial()
				if c.part != "busy" {
					r.rings()
				}
				if c.by == hal.ByBox {
					<-time.After(2 * time.Second)
					r.port.Hangup()
				}
				r.released(c.q850, c.by)
			}, "hello", "unlocked", "setup", c.part)
		})
	}
}

func TestReplayCalled(t *testing.T) {
	play(t, gsm.Config{}, func(r *replay) {
		if e := r.next(hal.ModemIncoming); e.Number != "+15550123" {
			r.t.Errorf("called by %q", e.Number)
		}
		<-time.After(time.Second)
		if err := r.port.Answer(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		r.next(hal.ModemAnswered)
		r.sounds(3)
		if r.m.keys {
			if e := r.next(hal.ModemDigit); e.Digit != '*' {
				r.t.Errorf("the far end pressed %q", e.Digit)
			}
		}
		r.port.Hangup()
		r.released(16, hal.ByBox)
	}, "hello", "unlocked", "setup", "called")
}

func TestReplayNotTaken(t *testing.T) {
	for part, by := range map[string]hal.Side{"refused": hal.ByBox, "missed": hal.ByFarEnd} {
		t.Run(part, func(t *testing.T) {
			play(t, gsm.Config{}, func(r *replay) {
				if e := r.next(hal.ModemIncoming); e.Number != "+15550123" {
					r.t.Errorf("called by %q", e.Number)
				}
				if by == hal.ByBox {
					<-time.After(time.Second)
					r.port.Hangup()
				}
				r.released(16, by)
			}, "hello", "unlocked", "setup", part)
		})
	}
}

func TestReplayTexts(t *testing.T) {
	play(t, gsm.Config{}, func(r *replay) {
		r.ready()
		sent, err := r.port.SendText(r.t.Context(), "+15550123", "hellohello")
		if err != nil || !slices.Equal(sent.Refs, []int{41}) {
			r.t.Errorf("sent %+v, %v", sent, err)
		}
		<-time.After(20 * time.Second)
		texts, reports := r.in.got()
		if !slices.Equal(texts, []string{"hellohello"}) || len(reports) != 1 || reports[0].Ref != 41 || !reports[0].Done || reports[0].To != "+15550123" {
			r.t.Errorf("texts %q, reports %+v", texts, reports)
		}
	}, "hello", "unlocked", "setup", "text out", "text in")
}

func TestReplayUSSD(t *testing.T) {
	play(t, gsm.Config{}, func(r *replay) {
		r.ready()
		if a, err := r.port.USSD(r.t.Context(), "*100#"); err != nil || a != (hal.USSDAnswer{Text: "1 Credit, 2 Data", More: true}) {
			r.t.Errorf("%+v, %v", a, err)
		}
		if a, err := r.port.USSD(r.t.Context(), "1"); err != nil || a != (hal.USSDAnswer{Text: "5 €"}) {
			r.t.Errorf("%+v, %v", a, err)
		}
	}, "hello", "unlocked", "setup", "ussd")
}

// A network that goes is told of, roaming is not used unless it is allowed, and home
// is good again.
func TestReplayNetworkLost(t *testing.T) {
	play(t, gsm.Config{}, func(r *replay) {
		r.ready()
		for _, want := range []string{"looks for a network", "roams at Atlanta Mobile, which is not allowed", "registered at Atlanta Mobile"} {
			r.until(want, func(s hal.ModemState) bool { return strings.Contains(s.Text, want) })
		}
	}, "hello", "unlocked", "setup", "network lost")
}
