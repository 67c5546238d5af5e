package text

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk keeps what was saved, and can be full.
type disk struct {
	mu      sync.Mutex // guards all below
	entries map[string][]byte
	notices []string
	full    bool
}

func (d *disk) LoadTexts() (list []Entry, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, v := range d.entries {
		list = append(list, Entry{k, v})
	}
	return list, nil
}

func (d *disk) SaveTexts(_ context.Context, entries []Entry, notices []call.Notice) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return errors.New("the disk is full")
	}
	for _, e := range entries {
		if e.Value == nil {
			delete(d.entries, e.Key)
		} else {
			d.entries[e.Key] = e.Value
		}
	}
	for _, n := range notices {
		d.notices = append(d.notices, string(n.Payload))
	}
	return nil
}

func (d *disk) told() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.notices, "|")
}

// teller writes what it is to tell.
type teller struct{}

func (teller) TextStatus(m call.Message) []call.Notice {
	if m.Hook.IsZero() {
		return nil
	}
	return []call.Notice{{Payload: []byte(string(m.Status) + " " + m.Body)}}
}

func (teller) TextArrived(m call.Message, p Plan) []call.Notice {
	return []call.Notice{{Payload: []byte(fmt.Sprintf("%s to %s: %s > %s", m.From, m.To, m.Body, p.Hook.URL))}}
}

// line is a SIM whose network does as it is told.
type line struct {
	call.Line
	id, number string
	mu         sync.Mutex // guards all below
	sent       []string
	errs       []error
	hold       chan struct{} // nil: sends at once
}

func (l *line) ID() string     { return l.id }
func (l *line) Number() string { return l.number }
func (l *line) SendText(ctx context.Context, to, body string) (call.TextSent, error) {
	if l.hold != nil {
		select {
		case <-l.hold:
		case <-ctx.Done():
			return call.TextSent{}, &call.TextError{Text: "given up", Transient: true}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return call.TextSent{}, err
	}
	l.sent = append(l.sent, to+" "+body)
	return call.TextSent{Segments: 1, Refs: []int{40 + len(l.sent)}}, nil
}
func (*line) USSD(context.Context, string) (call.USSDAnswer, error) { return call.USSDAnswer{}, nil }
func (*line) CancelUSSD(context.Context) error                      { return nil }

// office is a house with what it needs.
type office struct {
	*House
	disk   *disk
	lines  []Line
	alerts []string
	budget int
}

// open makes the house on the disk, and runs it until the test ends or stop is called.
func open(t *testing.T, d *disk, lines ...Line) (o *office, stop func()) {
	t.Helper()
	o = &office{disk: d, lines: lines, budget: 1000}
	n := len(d.entries)
	h, err := New(Config{
		Store: d, Teller: teller{}, Lines: func() []Line { return o.lines },
		Plan: func(_, to string) Plan {
			if to == "+15550111" {
				return Plan{Account: "AC1", API: "twilio", Why: "nothing is configured"}
			}
			return Plan{Account: "AC1", API: "twilio", Hook: call.Hook{URL: "http://app"}}
		},
		Owned: func(line, number string) bool { return line == "gsm2" && number == "+15550102" },
		Same:  func(a, b string) bool { return a == b },
		Join:  func(pdus []string) (string, error) { return strings.Join(pdus, ""), nil },
		Count: func(body string) int {
			if len(body) > 1600 {
				return 0
			}
			return 1 + len(body)/160
		},
		NewID: func(string) string { n++; return fmt.Sprintf("SM%d", n) },
		Admit: func(_, _ string, n int, _ time.Time) error {
			if o.budget -= n; o.budget < 0 {
				return &call.TollError{Reason: call.TollMessages, Text: "line gsm1 has used its messages"}
			}
			return nil
		},
		Alert: func(_, text string) { o.alerts = append(o.alerts, text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	o.House = h
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	synctest.Wait()
	return o, stop
}

func newDisk() *disk { return &disk{entries: map[string][]byte{}} }

func message(body string) call.Message {
	return call.Message{API: "twilio", Account: "AC1", Direction: call.OutboundAPI, From: "+15550101", To: "+15550199", Body: body, Hook: call.Hook{URL: "http://h"}}
}

func (o *office) status(t *testing.T, id string) call.Message {
	t.Helper()
	synctest.Wait()
	m, err := o.Message(t.Context(), "AC1", id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSendAndDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{id: "gsm1", number: "+15550101"}
		o, _ := open(t, newDisk(), l)
		m, err := o.SendMessage(t.Context(), message("hello"))
		if err != nil || m.ID != "SM1" || m.Status != call.MessageQueued || m.Line != "gsm1" || m.Segments != 1 {
			t.Fatal(m, err)
		}
		if m := o.status(t, "SM1"); m.Status != call.MessageSent || m.Sent == nil {
			t.Errorf("%+v", m)
		}
		for _, r := range []call.TextReport{{Ref: 99, To: "+15550199", Done: true, Final: true}, {Ref: 41, To: "+15550198", Done: true, Final: true},
			{Ref: 41, To: "+15550199", Text: "still trying"}} { // none is of this message, or news
			if err := o.Reported("gsm1", r); err != nil {
				t.Error(err)
			}
		}
		if m := o.status(t, "SM1"); m.Status != call.MessageSent {
			t.Errorf("%+v", m)
		}
		_ = o.Reported("gsm1", call.TextReport{Ref: 41, To: "+15550199", Done: true, Final: true})
		if m := o.status(t, "SM1"); m.Status != call.MessageDelivered {
			t.Errorf("%+v", m)
		}
		second, _ := o.SendMessage(t.Context(), message("again"))
		synctest.Wait()
		_ = o.Reported("gsm1", call.TextReport{Ref: 42, To: "+15550199", Final: true, Text: "the message has expired"})
		if m := o.status(t, second.ID); m.Status != call.MessageUndelivered || m.Error != "the message has expired" {
			t.Errorf("%+v", m)
		}
		if got := o.disk.told(); got != "sent hello|delivered hello|sent again|undelivered again" {
			t.Errorf("told %q", got)
		}
	})
}

// The reports on the first parts of a long message come before the last was sent.
func TestEarlyReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{id: "gsm1", number: "+15550101", hold: make(chan struct{})}
		o, _ := open(t, newDisk(), l)
		_ = o.Reported("gsm1", call.TextReport{Ref: 41, To: "+15550199", Final: true, Text: "of an old message"})
		<-time.After(time.Minute)
		m, _ := o.SendMessage(t.Context(), message("x"))
		synctest.Wait()
		for range maxEarly + 10 { // of others
			_ = o.Reported("gsm1", call.TextReport{Ref: 7, To: "+15550199", Done: true, Final: true})
		}
		_ = o.Reported("gsm1", call.TextReport{Ref: 41, To: "+15550199", Done: true, Final: true})
		close(l.hold)
		if m := o.status(t, m.ID); m.Status != call.MessageDelivered {
			t.Errorf("%+v", m)
		}
	})
}

func TestSendFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{id: "gsm1", number: "+15550101"}
		o, _ := open(t, newDisk(), l)
		l.errs = []error{&call.TextError{Text: "no network", Transient: true}, &call.TextError{Text: "the number is not in use"}}
		m, err := o.SendMessage(t.Context(), message("x"))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.status(t, m.ID); got.Status != call.MessageQueued || got.Error != "no network" {
			t.Errorf("while it waits %+v", got)
		}
		<-time.After(10 * time.Second)
		if got := o.status(t, m.ID); got.Status != call.MessageFailed || got.Error != "the number is not in use" {
			t.Errorf("%+v", got)
		}
		if len(o.alerts) != 1 || !strings.HasSuffix(o.disk.told(), "failed x") {
			t.Errorf("alerts %q, told %q", o.alerts, o.disk.told())
		}
		// What stays away for half an hour is given up.
		synctest.Wait()
		l.errs = slices.Repeat([]error{&call.TextError{Text: "no network", Transient: true}}, 100)
		m, _ = o.SendMessage(t.Context(), message("y"))
		<-time.After(31 * time.Minute)
		if got := o.status(t, m.ID); got.Status != call.MessageFailed {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhoSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := &line{id: "gsm1", number: "+15550101"}, &line{id: "gsm2"}
		o, _ := open(t, newDisk(), one, two)
		for from, want := range map[string]string{"+15550101": "gsm1", "+15550102": "gsm2", "gsm2": "gsm2", "+15550103": ""} {
			m := message("x")
			m.From = from
			m, err := o.SendMessage(t.Context(), m)
			if want == "" && !errors.Is(err, call.ErrNoMessenger) || want != "" && (err != nil || m.Line != want) {
				t.Errorf("from %s: %s, %v", from, m.Line, err)
			}
		}
		synctest.Wait()
		o.lines = []Line{&line{id: "gsm3"}} // the only one, and it does not know its number
		if m, err := o.SendMessage(t.Context(), message("x")); err != nil || m.Line != "gsm3" {
			t.Error(m.Line, err)
		}
		synctest.Wait()
		o.lines = nil
		if _, err := o.SendMessage(t.Context(), message("x")); !errors.Is(err, call.ErrNoMessenger) {
			t.Error(err)
		}
	})
}

func TestSendRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{id: "gsm1", number: "+15550101", hold: make(chan struct{})}
		o, _ := open(t, newDisk(), l)
		if _, err := o.SendMessage(t.Context(), message(strings.Repeat("x", 1601))); !errors.Is(err, ErrLong) {
			t.Error(err)
		}
		synctest.Wait()
		o.disk.full = true
		if _, err := o.SendMessage(t.Context(), message("x")); err == nil {
			t.Error("a message that is on no disk was taken")
		}
		o.disk.full = false
		var err error
		for range maxQueue + 2 {
			_, err = o.SendMessage(t.Context(), message("x"))
			synctest.Wait()
		}
		if !errors.Is(err, ErrQueue) {
			t.Error(err)
		}
		o.budget = 0
		var toll *call.TollError
		if _, err := o.SendMessage(t.Context(), message("x")); !errors.As(err, &toll) {
			t.Error(err)
		}
		if err := o.DeleteMessage(t.Context(), "AC1", "SM2"); !errors.Is(err, call.ErrNotEnded) {
			t.Error(err)
		}
	})
}

// What waited when the gateway stopped goes out when it is back; what was at the
// network when the power went may have arrived, and is not sent twice.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := &line{id: "gsm1", number: "+15550101", hold: make(chan struct{})}
		o, stop := open(t, d, l)
		first, _ := o.SendMessage(t.Context(), message("first"))
		_, _ = o.SendMessage(t.Context(), message("second"))
		if m := o.status(t, first.ID); m.Status != call.MessageSending {
			t.Fatalf("%+v", m)
		}
		power := newDisk()
		for k, v := range d.entries {
			power.entries[k] = slices.Clone(v)
		}
		stop()
		for name, tc := range map[string]struct {
			d    *disk
			want string
		}{"stopped": {d, "+15550199 first|+15550199 second"}, "power lost": {power, "+15550199 second"}} {
			l := &line{id: "gsm1", number: "+15550101"}
			o, stop := open(t, tc.d, l)
			if got := strings.Join(l.sent, "|"); got != tc.want {
				t.Errorf("%s: sent %q", name, got)
			}
			if m := o.status(t, first.ID); name == "power lost" && (m.Status != call.MessageFailed || !strings.Contains(m.Error, "power")) {
				t.Errorf("%+v", m)
			}
			stop()
		}
	})
}

func piece(from, pdu string, ref, seq, total int) call.TextPart {
	return call.TextPart{From: from, At: time.Now(), Ref: ref, Total: total, Seq: seq, PDU: pdu}
}

func TestArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := &line{id: "gsm1", number: "+15550101"}
		o, stop := open(t, d, l)
		take := func(p call.TextPart) {
			t.Helper()
			if err := o.Arrived("gsm1", p); err != nil {
				t.Error(err)
			}
		}
		take(piece("+15550199", "single", 0, 1, 1))
		take(piece("+15550199", "single", 0, 1, 1)) // deleting it on the SIM had failed
		take(piece("+15550199", "C", 7, 3, 3))
		take(piece("+15550199", "A", 7, 1, 3))
		take(piece("+15550188", "b", 7, 2, 2)) // another sender, the same reference
		d.full = true
		if err := o.Arrived("gsm1", piece("+15550199", "B", 7, 2, 3)); err == nil {
			t.Error("a part that is on no disk was taken")
		}
		d.full = false
		stop()
		o, _ = open(t, d, l) // a restart between the parts
		take(piece("+15550199", "A", 7, 1, 3))
		take(piece("+15550199", "B", 7, 2, 3))
		if got := d.told(); got != "+15550199 to +15550101: single > http://app|+15550199 to +15550101: ABC > http://app" {
			t.Errorf("told %q", got)
		}
		<-time.After(25 * time.Hour)
		synctest.Wait()
		if got := d.told(); !strings.HasSuffix(got, "|+15550188 to +15550101: [part 1 of 2 is missing]b > http://app") {
			t.Errorf("after a day %q", got)
		}
		for k := range d.entries {
			if strings.HasPrefix(k, partPrefix) {
				t.Errorf("%s is still there", k)
			}
		}
		p, err := o.Messages(t.Context(), call.MessageFilter{Account: "AC1"})
		if err != nil || len(p.Messages) != 3 || p.Messages[1].Body != "ABC" || p.Messages[1].Segments != 3 || p.Messages[1].Status != call.MessageReceived || p.Messages[1].Direction != call.Inbound {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestArriveNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := open(t, newDisk(), &line{id: "gsm1", number: "+15550111"})
		if err := o.Arrived("gsm1", piece("+15550199", "x", 0, 1, 1)); err != nil {
			t.Error(err)
		}
		broken := piece("", "zz", 0, 1, 1)
		broken.Problem = "a message arrived that the box cannot read"
		if err := o.Arrived("gsm1", broken); err != nil {
			t.Error(err)
		}
		if len(o.alerts) != 2 || !strings.Contains(o.alerts[0], "nothing is configured") || !strings.Contains(o.alerts[1], "cannot read") || o.disk.told() != "" {
			t.Errorf("alerts %q", o.alerts)
		}
	})
}

func TestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{id: "gsm1", number: "+15550101"}
		o, _ := open(t, newDisk(), l)
		_ = o.Arrived("gsm1", piece("+15550199", "ping", 0, 1, 1))
		if err := o.Reply(t.Context(), "SM1", call.Message{Body: "pong"}); err != nil {
			t.Fatal(err)
		}
		m := o.status(t, "SM2")
		if l.sent[0] != "+15550199 pong" || m.Direction != call.OutboundReply || m.From != "+15550101" || m.Account != "AC1" || m.API != "twilio" {
			t.Errorf("sent %q, %+v", l.sent, m)
		}
		if err := o.Reply(t.Context(), "SM99", call.Message{Body: "pong"}); !errors.Is(err, call.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestPagesAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{id: "gsm1", number: "+15550101"}
		o, _ := open(t, newDisk(), l)
		for i := range 5 {
			_, _ = o.SendMessage(t.Context(), message(fmt.Sprint(i)))
			<-time.After(time.Second)
		}
		bodies := func(p call.MessagePage) (s string) {
			for _, m := range p.Messages {
				s += m.Body
			}
			return s
		}
		f := call.MessageFilter{Account: "AC1", Limit: 2}
		one, _ := o.Messages(t.Context(), f)
		f.Cursor = one.Next
		two, _ := o.Messages(t.Context(), f)
		f.Cursor = two.Next
		three, _ := o.Messages(t.Context(), f)
		f.Cursor = three.Previous
		back, _ := o.Messages(t.Context(), f)
		if bodies(one)+","+bodies(two)+","+bodies(three)+","+bodies(back) != "43,21,0,21" || one.Previous != "" || three.Next != "" {
			t.Errorf("%v %v %v %v", bodies(one), bodies(two), bodies(three), bodies(back))
		}
		f.Cursor = "nonsense"
		if _, err := o.Messages(t.Context(), f); !errors.Is(err, call.ErrCursor) {
			t.Error(err)
		}
		if p, _ := o.Messages(t.Context(), call.MessageFilter{Account: "AC1", To: "+15550100"}); len(p.Messages) != 0 {
			t.Errorf("%v", p)
		}
		if p, _ := o.Messages(t.Context(), call.MessageFilter{Account: "AC2"}); len(p.Messages) != 0 {
			t.Errorf("%v", p)
		}
		id := one.Messages[0].ID
		if err := o.DeleteMessage(t.Context(), "AC2", id); !errors.Is(err, call.ErrNotFound) {
			t.Error(err)
		}
		if err := o.DeleteMessage(t.Context(), "AC1", id); err != nil {
			t.Error(err)
		}
		if _, err := o.Message(t.Context(), "AC1", id); !errors.Is(err, call.ErrNotFound) || o.disk.entries[messageKey(id)] != nil {
			t.Error(err)
		}
	})
}
