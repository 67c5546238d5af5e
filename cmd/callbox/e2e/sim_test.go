//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// settled waits until everything that begins by itself has begun: the simulated
// modems register.
func (g *gateway) settled() {
	g.t.Helper()
	for _, m := range []string{"gsm1", "gsm2", "gsm3"} {
		g.phone(m).line("registered at")
	}
}

// hand handles a simulated phone of a gateway as "callbox sim" does.
type hand struct {
	g    *gateway
	name string
}

func (g *gateway) phone(name string) *hand { return &hand{g, name} }

// ask speaks with the simulator on the control socket.
func (h *hand) ask(method, path string, body []byte) []byte {
	h.g.t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(h.g.dir, "callbox.sock"))
		}}}
	req, err := http.NewRequest(method, "http://callbox/v1/sim"+path, bytes.NewReader(body))
	if err != nil {
		h.g.t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		h.g.t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		h.g.t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, out, err)
	}
	return out
}

// do has the phone do something and returns when it is done.
func (h *hand) do(act string, with ...string) {
	h.g.t.Helper()
	h.ask(http.MethodPost, "/"+h.name+"/"+act+"?"+url.Values{"with": {strings.Join(with, " ")}}.Encode(), nil)
}

// fault breaks something of the phone or repairs it.
func (h *hand) fault(name, value string) {
	h.g.t.Helper()
	h.ask(http.MethodPut, "/"+h.name+"/faults/"+name, []byte(`"`+value+`"`))
}

// state is what the simulator shows of the phone; of fields that are there more
// than once all, line by line.
func (h *hand) state() map[string]string {
	h.g.t.Helper()
	var list []struct {
		Port  string
		State []struct{ Name, Value string }
	}
	if err := json.Unmarshal(h.ask(http.MethodGet, "", nil), &list); err != nil {
		h.g.t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range list {
		if s.Port != h.name {
			continue
		}
		for _, f := range s.State {
			out[f.Name] += f.Value + "\n"
		}
	}
	return out
}

// shows waits until the phone shows something.
func (h *hand) shows(field, want string) {
	h.g.t.Helper()
	poll(h.g.t, h.name+" shows "+field+" "+want, func() bool { return strings.Contains(h.state()[field], want) })
}

// line waits until the gateway says this of the phone's line.
func (h *hand) line(want string) {
	h.g.t.Helper()
	poll(h.g.t, h.name+" is "+want, func() bool { _, text := h.g.status(h.name); return strings.Contains(text, want) })
}

// say speaks into the phone and returns when the line has taken it.
func (h *hand) say(s []int16) {
	h.g.t.Helper()
	h.ask(http.MethodPut, "/"+h.name+"/sound", wavBytes(s)[44:])
}

// heard is what the phone has heard since it was told to forget.
func (h *hand) heard() []int16 {
	h.g.t.Helper()
	b := h.ask(http.MethodGet, "/"+h.name+"/sound", nil)
	s := make([]int16, len(b)/2)
	for i := range s {
		s[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return s
}

// tone waits until the phone hears these frequencies together for d without a
// break, and little else.
func (h *hand) tone(what string, d time.Duration, hz ...float64) {
	h.g.t.Helper()
	const window = 160
	want := int(d * rate / time.Second / window)
	poll(h.g.t, h.name+" hears "+what, func() bool {
		heard, run := h.heard(), 0
		for at := 0; at+window <= len(heard); at += window {
			if share(heard[at:at+window], hz...) < 0.7 {
				run = 0
				continue
			}
			if run++; run >= want {
				return true
			}
		}
		return false
	})
}

// share is how much of a sound's energy is at these frequencies, 0 when it is quiet.
func share(s []int16, hz ...float64) float64 {
	var all, part float64
	for _, v := range s {
		all += float64(v) * float64(v)
	}
	if all/float64(len(s)) < 200*200 {
		return 0
	}
	for _, f := range hz {
		var re, im float64
		for i, v := range s {
			p := 2 * math.Pi * f * float64(i) / rate
			re, im = re+float64(v)*math.Cos(p), im+float64(v)*math.Sin(p)
		}
		part += 2 * (re*re + im*im) / float64(len(s)) / all
	}
	return part
}

// fine fails the test when a line chip would have been ill-treated.
func (h *hand) fine() {
	h.g.t.Helper()
	for c := range strings.Lines(h.state()["chip complains"]) {
		if !strings.HasPrefix(c, "F/R turned") { // timers of a busy machine
			h.g.t.Errorf("%s: the line chip complains: %s", h.name, c)
		}
	}
}

// TestPhoneToPhone calls from one analogue phone to another with the binary: by
// keys, and by rotary dials of every speed whose hooks bounce. Both hear each other.
func TestPhoneToPhone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "phones:\n- {port: fxs2, number: \"19\"}\n")
	g.change("country: US", "country: DE")
	a, b := g.phone("fxs1"), g.phone("fxs2")
	question, answer := speak(t, "Hello, is there anybody in the workshop?"), speak(t, "Yes, we are all here today.", "-v", "en-us")
	for _, dial := range [][]string{{"press", "19#"}, {"pulse", "19", "8"}, {"pulse", "19", "10"}, {"pulse", "19", "12"}} {
		a.do("forget")
		if dial[0] == "pulse" {
			a.fault("bounce", "8ms")
		}
		a.do("pick-up")
		a.tone("dial tone", 300*time.Millisecond, 425)
		a.do(dial[0], dial[1:]...)
		b.do("wait-ring")
		if last := b.state()["last ring"]; !strings.Contains(last, "at 25 Hz") {
			t.Errorf("%v: rang %s", dial, last)
		}
		a.tone("ringback", 500*time.Millisecond, 425)
		b.do("forget")
		b.do("pick-up")
		b.line("in a call")
		a.do("forget")
		if dial[0] == "press" {
			a.say(question)
			b.say(answer)
			hears(t, "the called phone", b.heard(), question)
			hears(t, "the calling phone", a.heard(), answer)
		}
		b.do("hang-up")
		a.tone("busy tone", 300*time.Millisecond, 425)
		a.do("hang-up")
		a.line("on-hook")
		b.line("on-hook")
	}
	a.fine()
	b.fine()
}

// TestBrokenPhone breaks what the simulator can break; the line says so and is
// back afterwards.
func TestBrokenPhone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "phones:\n- {port: fxs1, number: \"11\"}\n- {port: fxs2, number: \"12\"}\n")
	a := g.phone("fxs1")
	a.fault("broken-pins", "on")
	a.line("the port has failed")
	a.fault("broken-pins", "off")
	a.line("on-hook")
	a.fault("stuck-off-hook", "on")
	a.line("picked up")
	a.fault("stuck-off-hook", "off")
	a.line("on-hook")
	a.fault("broken-sound", "on")
	a.do("pick-up")
	a.line("its sound has failed")
	a.fault("broken-sound", "off")
	a.do("forget")
	a.tone("dial tone", 200*time.Millisecond, 350, 440)

	// The same by the command line.
	g.run("sim", "do", "fxs1", "hang-up")
	a.line("on-hook")
	if out := g.run("sim"); !regexp.MustCompile(`fxs1 +hook on-hook, bell silent, rings 0 +echo-loss 16`).MatchString(out) {
		t.Errorf("callbox sim:\n%s", out)
	}
	if out := g.run("sim", "show", "fxs1"); !strings.Contains(out, "stuck-on-hook") || !strings.Contains(out, "press KEYS") {
		t.Errorf("callbox sim show:\n%s", out)
	}
	file := filepath.Join(t.TempDir(), "tone.wav")
	g.run("sim", "heard", "fxs1", file)
	if s, _ := readWAV(t, file); len(s) == 0 {
		t.Error("callbox sim heard: nothing")
	}
	if out, err := g.tryRun("sim", "say", "fxs1", file); err == nil || !strings.Contains(out, "on-hook") {
		t.Errorf("a phone that is on-hook speaks: %v %s", err, out)
	}
	if out, err := g.tryRun("sim", "do", "fxs9", "pick-up"); err == nil || !strings.Contains(out, "fxs9") {
		t.Errorf("an unknown phone: %v %s", err, out)
	}
	if out, err := g.tryRun("sim", "fault", "fxs1", "mood", "on"); err == nil || !strings.Contains(out, "no fault") {
		t.Errorf("an unknown fault: %v %s", err, out)
	}

	// A scene by the command line, in another country while it plays.
	if out := g.run("sim", "play", filepath.Join("..", "..", "..", "scripts", "scenes", "phones.yaml")); !strings.Contains(out, "fxs2 pick-up") || !strings.Contains(out, "all of it happened") {
		t.Errorf("callbox sim play:\n%s", out)
	}
	if last := g.phone("fxs2").state()["last ring"]; !strings.Contains(last, "at 25 Hz") {
		t.Errorf("in Germany it rang %s", last)
	}
	if out := g.run("config", "export"); !strings.Contains(out, "country: US") {
		t.Error("the country is not what it was before the scene")
	}
	file = filepath.Join(t.TempDir(), "scene.yaml")
	if err := os.WriteFile(file, []byte("steps:\n- {port: fxs1, state: hook, is: off-hook, within: 1s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := g.tryRun("sim", "play", file); err == nil || !strings.Contains(out, `step 1 (fxs1 hook is off-hook): it has taken longer than 1s; hook is "on-hook"`) {
		t.Errorf("a scene that does not happen: %v %s", err, out)
	}
}
