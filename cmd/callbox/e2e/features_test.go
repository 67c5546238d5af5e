//go:build e2e

package e2e

import (
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// extensions are four phones that know each other by short numbers.
const extensions = `phones:
- {port: fxs1, number: "11", caller_name: Lobby}
- {port: fxs2, number: "12"}
- {port: fxs3, number: "13", call_waiting: true}
- {port: fxs4, number: "14"}
dialling:
  map: ["1x", "9[2-9]xxxxxx"]
`

// dials presses a number and returns when it is called. On a busy machine a key may
// be lost; then it is dialled again, after a flash when another call is on hold.
func (h *hand) dials(number string, held bool) {
	h.g.t.Helper()
	for range 5 {
		h.do("press", number)
		var text string
		poll(h.g.t, h.name+" has dialled", func() bool {
			_, text = h.g.status(h.name)
			return text != "picked up, dialling"
		})
		if text == "calling" || text == "in a call" {
			return
		}
		if held {
			h.do("flash")
			h.line("in a call")
			h.do("flash")
		} else {
			h.do("hang-up")
			h.line("on-hook")
			h.do("pick-up")
		}
		h.line("dialling")
	}
	h.g.t.Fatalf("%s cannot dial %s", h.name, number)
}

// meets has a phone call another one, which picks up. held: it has a call on hold.
func (h *hand) meets(other *hand, number string, held bool) {
	h.g.t.Helper()
	other.do("forget")
	h.dials(number, held)
	other.do("wait-ring")
	other.do("pick-up")
	other.line("in a call")
	h.line("in a call")
}

// hear fails the test unless each of these phones hears what speaker says. On a busy
// machine a piece of sound may be lost, so it is said again.
func hear(t *testing.T, said []int16, speaker *hand, others ...*hand) {
	t.Helper()
	var worst float64
	for range 5 {
		for _, o := range others {
			o.do("forget")
		}
		speaker.say(said)
		pauseFor(300 * time.Millisecond) // what is under way
		worst = 1
		for _, o := range others {
			worst = min(worst, similarity(o.heard(), said))
		}
		if worst >= 0.7 {
			return
		}
	}
	t.Fatalf("what %s says is not heard: similarity %.2f", speaker.name, worst)
}

// TestThreeWay puts a call on hold by a flash, with music for who waits, calls a
// third, and makes a conference of all; then it leaves two of them to each other.
func TestThreeWay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, extensions)
	a, b, c := g.phone("fxs1"), g.phone("fxs2"), g.phone("fxs4")
	said := speak(t, "This is a word to all of you in the workshop and in the office.")
	a.do("pick-up")
	a.tone("dial tone", 200*time.Millisecond, 350, 440)
	a.meets(b, "12", false)
	hear(t, said, a, b)
	hear(t, said, b, a)
	b.do("forget")
	a.do("forget")
	a.do("flash")
	a.tone("dial tone", 200*time.Millisecond, 350, 440)
	poll(t, "music for who is on hold", func() bool { return amplitude(b.heard()) > 100 })
	a.meets(c, "14", true)
	hear(t, said, c, a)
	a.do("flash")
	a.line("in a call")
	hear(t, said, a, b, c)
	hear(t, said, b, a, c)
	hear(t, said, c, a, b)
	a.do("flash") // the third leaves
	c.tone("busy tone", 200*time.Millisecond, 480, 620)
	hear(t, said, b, a)
	c.do("hang-up")
	c.line("on-hook")

	a.do("flash")
	a.line("dialling")
	a.meets(c, "14", true)
	a.do("hang-up") // which connects them
	a.line("on-hook")
	hear(t, said, b, c)
	hear(t, said, c, b)
	b.do("hang-up")
	c.tone("busy tone", 200*time.Millisecond, 480, 620)
	for _, h := range []*hand{a, b, c} {
		h.fine()
	}

	// The traces of the calls tell what the phones did, from the first key on.
	ids := regexp.MustCompile(`CA[0-9a-f]{32}`).FindAllString(g.run("calls", "-o", "json"), -1)
	ladders := ""
	for _, id := range ids {
		ladders += g.run("trace", id)
	}
	for _, want := range []string{"the receiver is lifted", "the phone dials 1", "the bell rings", "the hook is pressed shortly", "the receiver is put back"} {
		if !strings.Contains(ladders, want) {
			t.Errorf("no trace of the calls %v tells that %s", ids, want)
		}
	}
}

// amplitude is the mean amplitude of a sound.
func amplitude(s []int16) float64 {
	sum := 0.0
	for _, v := range s {
		sum += max(float64(v), -float64(v))
	}
	return sum / float64(max(len(s), 1))
}

// TestSecondCall: a phone in a call is told of another one by a tone and on its
// display, and takes it by a flash.
func TestSecondCall(t *testing.T) {
	t.Parallel()
	g := startGateway(t, extensions)
	a, b, c := g.phone("fxs1"), g.phone("fxs2"), g.phone("fxs3")
	said := speak(t, "Who was it that called first this morning?")
	b.do("pick-up")
	b.meets(c, "13", false)
	c.do("forget")
	a.do("pick-up")
	a.do("press", "13")
	c.tone("call waiting tone", 200*time.Millisecond, 440)
	c.shows("display", "11 Lobby")
	c.do("flash")
	a.line("in a call")
	hear(t, said, a, c)
	c.do("flash")
	hear(t, said, b, c)
	hear(t, said, c, b)
	a.do("hang-up")
	a.line("on-hook")
	// Without the service the phone is busy.
	a.do("pick-up")
	a.do("press", "12")
	a.tone("busy tone", 200*time.Millisecond, 480, 620)
}

// TestCodesAtThePhone dials the codes that phones have, which hold after a restart.
func TestCodesAtThePhone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, extensions)
	a, b, c := g.phone("fxs1"), g.phone("fxs2"), g.phone("fxs4")
	code := func(h *hand, keys string) {
		h.do("pick-up")
		h.do("press", keys)
		h.tone("a dial tone after the code", 100*time.Millisecond, 350, 440)
		h.do("hang-up")
		h.line("on-hook")
	}
	rings := func(to, at *hand, number string) {
		to.do("forget")
		a.do("pick-up")
		a.do("press", number)
		at.line("ringing")
		a.do("hang-up")
		at.line("on-hook")
	}
	code(b, "*7214")
	rings(b, c, "12")
	if n := b.state()["rings"]; strings.TrimSpace(n) != "0" {
		t.Errorf("a phone that forwards its calls rang %s times", n)
	}
	if err := g.stop(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	g.start()
	rings(b, c, "12")
	code(b, "*73")
	rings(b, b, "12")
	code(b, "*78")
	sid := g.create(url.Values{"To": {"client:fxs2"}, "From": {"+14155550100"}, "Twiml": {"<Response><Pause/></Response>"}})
	g.until(sid, "busy")
	if out := g.run("calls"); !strings.Contains(out, "disturbed") {
		t.Errorf("the record does not say why:\n%s", out)
	}
	code(b, "*79")

	// The number is not shown once.
	b.do("forget")
	a.do("pick-up")
	a.do("press", "*67")
	a.do("press", "12")
	b.shows("display", "private")
	// Somebody else picks it up.
	c.do("pick-up")
	c.do("press", "*8")
	c.line("in a call")
	a.line("in a call")
	b.line("on-hook")
	hear(t, speak(t, "The call was for somebody else."), a, c)
	c.do("hang-up")
	a.do("hang-up")
	a.line("on-hook")
	// The last number again, and back to who called.
	a.do("pick-up")
	a.do("press", "*66")
	b.line("ringing")
	a.do("hang-up")
	b.line("on-hook")
}

// TestWaitingMessages lights the lamp of a phone by the command that lights those of
// SIP telephones, and has its dial tone stutter.
func TestWaitingMessages(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	a := g.phone("fxs1")
	g.run("messages", "fxs1", "--new", "2")
	a.shows("message lamp", "on")
	a.do("pick-up")
	a.do("forget")
	poll(t, "a stuttering dial tone", func() bool {
		n, quiet, s := 0, false, a.heard()
		for i := 0; i+160 <= len(s); i += 160 {
			q := amplitude(s[i:i+160]) < 50
			if q && !quiet {
				n++
			}
			quiet = q
		}
		return n >= 5
	})
	a.do("hang-up")
	g.run("messages", "fxs1", "--new", "0")
	poll(t, "the lamp is dark", func() bool { return a.state()["message lamp"] == "" })
	a.do("pick-up")
	a.do("forget")
	a.tone("an even dial tone", time.Second, 350, 440)
}

// TestHotLineAndHowler: a phone that calls by itself; one that is left off the hook
// hears the howler and is parked.
func TestHotLineAndHowler(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "phones:\n- {port: fxs1, number: \"11\", hot_line: fxs2, reverse_on_answer: true, rings: []}\n- {port: fxs2, rings: [{caller: \"11\", rhythm: [500, 300, 500, 3000]}]}\n")
	a, b := g.phone("fxs1"), g.phone("fxs2")
	a.do("pick-up")
	b.do("wait-ring", "1")
	poll(t, "the bell rings for 500 ms, as it does in no country's own rhythm", func() bool { // a stalled box cuts one short
		last := strings.TrimSpace(b.state()["last ring"])
		return strings.HasPrefix(last, "4") || strings.HasPrefix(last, "500")
	})
	b.do("pick-up")
	a.shows("battery", "reversed")
	b.do("hang-up")
	a.shows("battery", "normal")
	a.tone("busy tone", 200*time.Millisecond, 480, 620)
	a.do("forget")
	a.tone("the howler", 90*time.Millisecond, 1400, 2060, 2450, 2600)
	a.line("off the hook")
	b.do("pick-up")
	b.do("press", "11#")
	b.tone("busy tone", 200*time.Millisecond, 480, 620)
	a.do("hang-up")
	a.line("on-hook")
	a.fine()
}
