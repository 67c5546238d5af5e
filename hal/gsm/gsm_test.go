package gsm_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a port with a simulated modem.
type bench struct {
	t     *testing.T
	rack  *cell.Rack
	net   *cell.Network
	modem *cell.Modem
	hub   *gsm.Hub
	port  *gsm.Port
}

func modemConfig(f cell.Family) cell.Config {
	return cell.Config{Family: f, IMEI: "860000000000011", Number: "+15550100", Caller: "+15550199",
		Card: cell.Card{IMSI: "310260000000011", ICCID: "8901260000000000011"}}
}

func newBench(t *testing.T, mc cell.Config, pc gsm.Config, faults cell.Faults) *bench {
	t.Helper()
	b := &bench{t: t, rack: cell.NewRack(), net: cell.NewNetwork()}
	b.modem = cell.NewModem(b.net, mc)
	b.modem.SetFaults(faults)
	b.rack.Plug(b.modem, "1-1.2")
	b.hub = gsm.NewHub(b.rack, nil)
	pc.Name = "gsm1"
	if testing.Verbose() && pc.Trace == nil {
		pc.Trace = func(e at.Entry) {
			arrow := "<"
			if e.Out {
				arrow = ">"
			}
			t.Logf("%s %s %q", e.At.Format("04:05.000"), arrow, e.Text)
		}
	}
	b.port = b.hub.Port(pc)
	t.Cleanup(func() {
		if err := b.hub.Close(); err != nil {
			t.Error(err)
		}
		b.rack.Unplug(b.modem)
		b.modem.Close()
		if t.Failed() {
			for _, n := range b.port.State().History {
				t.Logf("%s %s", n.At.Format("15:04:05.000"), n.Text)
			}
		}
	})
	return b
}

// until waits for a state.
func (b *bench) until(what string, limit time.Duration, ok func(s hal.ModemState) bool) hal.ModemState {
	b.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		s := b.port.State()
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("not within %v: %s; the modem: %v %q", limit, what, s.OK, s.Text)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func (b *bench) ready() hal.ModemState {
	b.t.Helper()
	return b.until("ready", 30*time.Second, func(s hal.ModemState) bool { return s.OK })
}

// next waits for an event.
func (b *bench) next(want hal.ModemEventType) hal.ModemEvent {
	b.t.Helper()
	select {
	case e := <-b.port.Events():
		if e.Type != want {
			b.t.Fatalf("event %v (%+v), want %v", e.Type, e, want)
		}
		return e
	case <-time.After(30 * time.Second):
		b.t.Fatalf("no %v event", want)
	}
	return hal.ModemEvent{}
}

func families() []cell.Family { return []cell.Family{cell.EC25, cell.SIM7600, cell.E1550} }

// TestCallOut: each family calls, is answered, hears and is heard, and ends.
func TestCallOut(t *testing.T) {
	for _, f := range families() {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
				s := b.ready()
				if s.IMEI != "860000000000011" || s.ICCID != "8901260000000000011" || s.SIM != "ready" || s.Network != "registered" {
					t.Errorf("state %+v", s)
				}
				sub := b.modem.Subscriber()
				ctx := context.Background()
				if err := b.port.Dial(ctx, "+15550199", false); err != nil {
					t.Fatal(err)
				}
				if err := sub.WaitRing(ctx); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemAlerting)
				if f != cell.SIM7600 {
					b.next(hal.ModemEarly)
				}
				if err := sub.Answer(); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemAnswered)
				if err := b.port.SendDigit(ctx, '5'); err != nil {
					t.Error(err)
				}
				if sub.Digits() != "5" {
					t.Errorf("the far end got %q", sub.Digits())
				}
				if err := sub.HangUp(ctx); err != nil {
					t.Fatal(err)
				}
				e := b.next(hal.ModemReleased)
				if e.Release.Q850 != 16 || e.Release.By != hal.ByFarEnd {
					t.Errorf("released %+v", e.Release)
				}
			})
		})
	}
}

// TestCallIn: a call arrives with its number and is answered.
func TestCallIn(t *testing.T) {
	for _, f := range families() {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
				b.ready()
				sub := b.modem.Subscriber()
				ctx := context.Background()
				if err := sub.Call(ctx, ""); err != nil {
					t.Fatal(err)
				}
				if e := b.next(hal.ModemIncoming); e.Number != "+15550199" {
					t.Errorf("incoming %+v", e)
				}
				if err := b.port.Answer(ctx); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemAnswered)
				b.port.Hangup()
				if e := b.next(hal.ModemReleased); e.Release.By != hal.ByBox {
					t.Errorf("released %+v", e.Release)
				}
				if _, err := sub.WaitEnd(ctx); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestCauses: what the network says becomes a cause and a sentence.
func TestCauses(t *testing.T) {
	for _, f := range families() {
		for why, want := range map[cell.Release]hal.Release{
			cell.UserBusy:    {Q850: 17, By: hal.ByFarEnd, Text: "busy"},
			cell.NoReply:     {Q850: 19, By: hal.ByFarEnd, Text: "nobody answered"},
			cell.Unallocated: {Q850: 1, By: hal.ByNetwork, Text: "not in use"},
			cell.Rejected:    {Q850: 21, By: hal.ByFarEnd, Text: "refused"},
			cell.Congested:   {Q850: 42, By: hal.ByNetwork, Text: "congested"},
		} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
				b.ready()
				b.modem.Subscriber().Refuse(why)
				if err := b.port.Dial(context.Background(), "5550123", false); err != nil {
					t.Fatal(err)
				}
				e := b.next(hal.ModemReleased)
				if e.Release.Q850 != want.Q850 || e.Release.By != want.By || !strings.Contains(e.Release.Text, want.Text) {
					t.Errorf("%s, cause %d: released %+v", f, why, e.Release)
				}
			})
		}
	}
}
