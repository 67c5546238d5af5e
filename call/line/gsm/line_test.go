package gsm_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/line/gsm"
	"callbox/call/line/linetest"
	driver "callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// port is a line on a simulated modem with the real driver.
type port struct {
	line  *gsm.Line
	modem *cell.Modem
	sub   *cell.Subscriber
}

func newPort(t *testing.T, f cell.Family, faults cell.Faults) port {
	t.Helper()
	return newPortBy(t, f, faults, false)
}

// newPortBy says besides whether the sound goes by the modem's own sound card.
func newPortBy(t *testing.T, f cell.Family, faults cell.Faults, card bool) port {
	t.Helper()
	rack := cell.NewRack()
	m := cell.NewModem(cell.NewNetwork(), cell.Config{Family: f, IMEI: "860000000000011", Number: "+15550100", Caller: "+15550199",
		Card: cell.Card{IMSI: "310260000000011", ICCID: "8901260000000000011"}})
	m.SetFaults(faults)
	rack.Plug(m, "1-1.2")
	hub := driver.NewHub(rack, nil)
	p := hub.Port(driver.Config{Name: "gsm1", Card: card})
	l, err := gsm.New(gsm.Config{ID: "gsm1"}, p, p.Sound())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
		rack.Unplug(m)
		m.Close()
		if path := p.State().Sound.Path; card != strings.Contains(path, "sound card") {
			t.Errorf("the sound went by %s", path)
		}
		if t.Failed() {
			for _, n := range p.State().History {
				t.Logf("%s %s", n.At.Format("15:04:05.000"), n.Text)
			}
			t.Logf("%+v", p.State().Counters)
		}
	})
	return port{l, m, m.Subscriber()}
}

// farEnd is the subscriber, for the suite of lines.
type farEnd struct{ port }

func (f farEnd) WaitRing(ctx context.Context) error { return f.sub.WaitRing(ctx) }

func (f farEnd) Answer(context.Context) error { return f.sub.Answer() }

func (f farEnd) Hangup(ctx context.Context) error { return f.sub.HangUp(ctx) }

func (f farEnd) Busy(context.Context) error { f.sub.SetBusy(true); return nil }

func (f farEnd) Call(ctx context.Context, number string) error { return f.sub.Call(ctx, number) }

func (f farEnd) WaitEnd(ctx context.Context) (call.Cause, error) {
	why, err := f.sub.WaitEnd(ctx)
	return call.Cause{Q850: int(why)}, err
}

// voice is the subscriber's mouth and ears.
type voice struct {
	t   *testing.T
	sub *cell.Subscriber
}

func (v voice) Say(samples []int16) {
	if err := v.sub.Queue(samples); err != nil {
		v.t.Error(err)
	}
}

func (v voice) Heard() []int16 { return v.sub.Heard() }

func (v voice) Press(ctx context.Context, d byte) error { return v.sub.Press(ctx, string(d)) }

func (v voice) Digits() string { return v.sub.Digits() }

// TestSuite is the suite of all lines, with the real driver on simulated modems of
// each family, the second time with sound that comes as the worst of them send it.
func TestSuite(t *testing.T) {
	for name, faults := range map[string]cell.Faults{
		"good": {},
		"bad":  {Split: 3, DoubleCR: true, Inside: true, OddStart: true, Backlog: true, Burst: 5, RatePPM: 200},
	} {
		for _, f := range []cell.Family{cell.EC25, cell.SIM7600, cell.E1550} {
			for _, c := range linetest.Cases() {
				t.Run(name+"/"+string(f)+"/"+c.Name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c.Run(t, func(t *testing.T) linetest.Fixture {
							p := newPort(t, f, faults)
							return linetest.Fixture{Line: p.line, Dial: call.Dial{To: "+15550199"}, Far: farEnd{p}, Voice: voice{t, p.sub},
								Number: "+15550100", From: "+15550199"}
						})
					})
				})
			}
		}
	}
}

// TestSuiteByCard is the suite with the sound on the modem's own sound card.
func TestSuiteByCard(t *testing.T) {
	for _, c := range linetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.Run(t, func(t *testing.T) linetest.Fixture {
					p := newPortBy(t, cell.EC25, cell.Faults{}, true)
					return linetest.Fixture{Line: p.line, Dial: call.Dial{To: "+15550199"}, Far: farEnd{p}, Voice: voice{t, p.sub},
						Number: "+15550100", From: "+15550199"}
				})
			})
		})
	}
}
