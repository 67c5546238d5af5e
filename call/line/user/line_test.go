package user_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/linetest"
	"callbox/call/line/sipleg/siptest"
	"callbox/call/line/user"
	"callbox/media/rtp"
	"callbox/sip"
)

const (
	boxHost   = "127.0.0.1"
	phoneHost = "127.0.0.3"
	patience  = 10 * time.Second
	password  = "open sesame"
)

func newLine(t *testing.T, cfg user.Config) (*user.Line, *sip.Stack, *rtp.PortPool) {
	t.Helper()
	stack, ports := siptest.NewStack(t, boxHost), siptest.NewPorts(t, boxHost)
	line, err := user.New(cfg, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	return line, stack, ports
}

// phone is a phone that registers once the line is served: the box has no
// answer for a user that it does not know yet, and the phone tries again.
func phone(t *testing.T, stack *sip.Stack, cfg siptest.Config) *siptest.Endpoint {
	t.Helper()
	network := "udp"
	if cfg.Transport != "" {
		network = cfg.Transport
	}
	cfg.Box, cfg.User, cfg.Password = stack.Addr(network), "201", password
	return siptest.NewEndpoint(t, cfg)
}

func suite(t *testing.T, phoneCfg siptest.Config) {
	linetest.Run(t, func(t *testing.T) linetest.Fixture {
		line, stack, ports := newLine(t, user.Config{ID: "201", Password: password})
		a := phone(t, stack, phoneCfg)
		return linetest.Fixture{
			Line: line, Far: a, Voice: a, Dial: call.Dial{From: "+15550123", FromName: "Alice"},
			Number: "202", From: "201", Served: a.Register, Leave: a.Leave,
			Leak: func() error {
				if st := ports.Stats(); st.Busy != 0 || st.Draining != 0 {
					return fmt.Errorf("RTP ports still held: %+v", st)
				}
				return nil
			},
		}
	})
}

// TestSuite: a phone over UDP with telephone events.
func TestSuite(t *testing.T) { suite(t, siptest.Config{Host: phoneHost}) }

// TestSuiteTCPInfo: a phone over TCP that sends its keys in SIP INFO.
func TestSuiteTCPInfo(t *testing.T) {
	suite(t, siptest.Config{Host: phoneHost, Transport: "tcp", Keys: siptest.Info, Codecs: []string{"PCMA"}})
}

// serve runs the line until the test ends and gives what arrives.
func serve(t *testing.T, line call.Line) <-chan call.Leg {
	t.Helper()
	in := make(incoming, 4)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- line.Serve(ctx, in) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return in
}

type incoming chan call.Leg

func (c incoming) Incoming(leg call.Leg) { c <- leg }

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// until waits for an event of one of the types and gives it.
func until(t *testing.T, leg call.Leg, types ...call.LegEventType) call.LegEvent {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case e, ok := <-leg.Events():
			if !ok {
				t.Fatalf("the leg ended before any of %v", types)
			}
			for _, typ := range types {
				if e.Type == typ {
					return *e
				}
			}
			if e.Type == call.LegEnded {
				t.Fatalf("the leg ended with %+v before any of %v", e.Cause, types)
			}
		case <-timeout.C:
			t.Fatalf("none of %v within %v", types, patience)
		}
	}
}

// three rings three phones of one user.
func three(t *testing.T) (call.Line, [3]*siptest.Endpoint) {
	t.Helper()
	line, stack, _ := newLine(t, user.Config{ID: "201", Password: password})
	serve(t, line)
	var phones [3]*siptest.Endpoint
	for i := range phones {
		phones[i] = phone(t, stack, siptest.Config{Host: fmt.Sprintf("127.0.0.%d", 10+i)})
		phones[i].Register()
	}
	return line, phones
}

func dial(t *testing.T, line call.Line) call.Leg {
	t.Helper()
	leg, err := line.Dial(bounded(t), call.Dial{From: "+15550123"})
	if err != nil {
		t.Fatal(err)
	}
	return leg
}

// TestFork: all phones ring, the first answer wins, the others stop.
func TestFork(t *testing.T) {
	t.Parallel()
	line, phones := three(t)
	leg := dial(t, line)
	for _, p := range phones {
		if err := p.WaitRing(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, leg, call.LegRinging)
	if err := phones[1].Answer(bounded(t)); err != nil {
		t.Fatal(err)
	}
	until(t, leg, call.LegAnswered)
	for _, i := range []int{0, 2} {
		c, err := phones[i].WaitEnd(bounded(t))
		if err != nil {
			t.Fatalf("phone %d still rings: %v", i, err)
		}
		if c.SIP != 487 || !strings.Contains(c.Text, "elsewhere") {
			t.Errorf("phone %d was told %+v, want that the call was answered elsewhere", i, c)
		}
	}
	leg.Hangup(call.NormalClearing(call.Script))
	until(t, leg, call.LegEnded)
	if _, err := phones[1].WaitEnd(bounded(t)); err != nil {
		t.Error(err)
	}
}

// TestForkRefusals: busy only when all that answer are busy.
func TestForkRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		statuses [3]int
		want     int
		outcome  call.State
	}{
		"all busy":                 {[3]int{486, 486, 600}, 486, call.Busy},
		"one is away":              {[3]int{486, 480, 486}, 480, call.NoAnswer},
		"one is broken, rest busy": {[3]int{500, 486, 486}, 486, call.Busy},
		"all broken":               {[3]int{500, 500, 500}, 500, call.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			line, phones := three(t)
			for i, p := range phones {
				p.Refuse(tt.statuses[i], sip.Reason{})
			}
			c := until(t, dial(t, line), call.LegEnded).Cause
			if c.SIP != tt.want && !(tt.outcome == call.Busy && c.SIP == 600) || c.Outcome() != tt.outcome {
				t.Errorf("cause %+v (%v), want SIP %d (%v)", c, c.Outcome(), tt.want, tt.outcome)
			}
		})
	}
}

// TestForkOneRefuses: the others go on ringing.
func TestForkOneRefuses(t *testing.T) {
	t.Parallel()
	line, phones := three(t)
	phones[0].Refuse(603, sip.Reason{})
	leg := dial(t, line)
	for _, p := range phones[1:] {
		if err := p.WaitRing(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := phones[2].Answer(bounded(t)); err != nil {
		t.Fatal(err)
	}
	until(t, leg, call.LegAnswered)
	leg.Hangup(call.NormalClearing(call.Box))
	until(t, leg, call.LegEnded)
}

// TestNoPhone: nobody has registered.
func TestNoPhone(t *testing.T) {
	t.Parallel()
	line, _, _ := newLine(t, user.Config{ID: "201", Password: password})
	_, err := line.Dial(bounded(t), call.Dial{})
	if c := call.CauseOf(err); c.Q850 != call.Q850Absent || c.Outcome() != call.NoAnswer {
		t.Errorf("%+v", c)
	}
	serve(t, line)
	_, err = line.Dial(bounded(t), call.Dial{})
	if c := call.CauseOf(err); c.Text != "user 201 has no phone registered (SIP 480)" {
		t.Errorf("%+v", c)
	}
	if st := line.Status(); st.Ready || st.Text == "" {
		t.Errorf("status %+v", st)
	}
}

// TestBadHeader: a header that would break the message is refused before it is sent.
func TestBadHeader(t *testing.T) {
	t.Parallel()
	line, _, _ := newLine(t, user.Config{ID: "201", Password: password})
	_, err := line.Dial(bounded(t), call.Dial{Headers: []call.Header{{Name: "X-A", Value: "1\r\nVia: x"}}})
	if call.CauseOf(err).SIP != 400 {
		t.Errorf("got %v", err)
	}
}

// TestArrivingInfo: who calls is what the digest proved, and X- headers come along.
func TestArrivingInfo(t *testing.T) {
	t.Parallel()
	line, stack, _ := newLine(t, user.Config{ID: "desk", Username: "201", Password: password, Channels: 1})
	in := serve(t, line)
	p := phone(t, stack, siptest.Config{Host: "127.0.0.20"})
	p.Register()
	if err := p.Call(bounded(t), "*72%23"); err != nil {
		t.Fatal(err)
	}
	var leg call.Leg
	select {
	case leg = <-in:
	case <-bounded(t).Done():
		t.Fatal("the call did not arrive")
	}
	info := leg.Info()
	if info.From != "desk" || info.To != "*72#" || info.CallID == "" || !strings.HasPrefix(info.Remote, "127.0.0.20:") {
		t.Errorf("info %+v", info)
	}
	if len(info.Headers) != 1 || info.Headers[0] != (call.Header{Name: "X-Test", Value: "yes"}) {
		t.Errorf("headers %v", info.Headers)
	}
	if st := line.Status(); st.Busy != 1 || st.Max != 1 || !st.Ready {
		t.Errorf("status %+v", st)
	}
	_, err := line.Dial(bounded(t), call.Dial{})
	var c call.Cause
	if !errors.As(err, &c) || c.Q850 != call.Q850NoCircuit || !strings.Contains(c.Text, "all 1 channels of user desk are in use") {
		t.Errorf("a second call on one channel: %v", err)
	}
	leg.Hangup(call.NormalClearing(call.Box))
	until(t, leg, call.LegEnded)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, cfg := range []user.Config{
		{}, {ID: "201"}, {ID: "201", Password: "x", Channels: -1}, {ID: "201", Password: "x", Silence: -1},
	} {
		if _, err := user.New(cfg, nil, nil, nil); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
