package sms

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

	"callbox/hal"
	"callbox/hal/at"
)

// Messages that arrive.
const (
	hiPDU     = "0004089151551099000062111231540080" + "02C834"
	part1PDU  = "00440891515510990000621112315400800D050003A50201906536FB0D02"
	reportPDU = "000629089151551000621112315400006211123154700000"
)

// store is a modem that knows the commands of messages, and a receiver that
// saves, or cannot.
type store struct {
	mu      sync.Mutex // guards all below
	asked   []string
	memory  map[int]string // index → "stat,PDU"
	replies map[string][]reply
	down    bool // the receiver cannot save
	parts   []string
	reports []int
}

type reply struct {
	r   at.Response
	err error
}

func newStore() *store { return &store{memory: map[int]string{}, replies: map[string][]reply{}} }

func (s *store) do(_ context.Context, c at.Command) (at.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := c.Text
	if c.Payload != "" {
		text += " " + c.Payload
	}
	s.asked = append(s.asked, text)
	for k, list := range s.replies {
		if strings.HasPrefix(c.Text, k) && len(list) > 0 {
			s.replies[k] = list[1:]
			return list[0].r, list[0].err
		}
	}
	var n int
	switch {
	case c.Text == "AT+CMGL=4":
		var r at.Response
		for i := range 100 {
			if m, ok := s.memory[i]; ok {
				stat, pdu, _ := strings.Cut(m, ",")
				r.Lines = append(r.Lines, fmt.Sprintf("+CMGL: %d,%s,,%d", i, stat, len(pdu)/2-1), pdu)
			}
		}
		return r, nil
	case scan(c.Text, "AT+CMGR=%d", &n):
		m, ok := s.memory[n]
		if !ok {
			return at.Response{}, &at.CMSError{Code: 321}
		}
		stat, pdu, _ := strings.Cut(m, ",")
		return at.Response{Lines: []string{fmt.Sprintf("+CMGR: %s,,%d", stat, len(pdu)/2-1), pdu}}, nil
	case scan(c.Text, "AT+CMGD=%d", &n):
		delete(s.memory, n)
	case strings.HasPrefix(c.Text, "AT+CMGS="):
		return at.Response{Lines: []string{fmt.Sprintf("+CMGS: %d", 40+len(s.asked))}}, nil
	}
	return at.Response{}, nil
}

func scan(s, format string, n *int) bool {
	_, err := fmt.Sscanf(s, format, n)
	return err == nil
}

func (s *store) TextArrived(p hal.TextPart) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errors.New("the disk is full")
	}
	if p.Problem != "" {
		p.PDU = p.Problem
	}
	s.parts = append(s.parts, p.PDU)
	return nil
}

func (s *store) TextReported(r hal.TextReport) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r.Ref)
	return nil
}

func (s *store) put(i int, m string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory[i] = m
}

func (s *store) got() (asked, parts string, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.asked, "|"), strings.Join(s.parts, "|"), len(s.memory)
}

// run serves a service in a bubble until the test ends.
func run(t *testing.T, s *store, c Config) *Service {
	t.Helper()
	c.Do, c.Receiver = s.do, s
	v := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { v.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return v
}

func TestArriving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put(3, "0,"+hiPDU)     // what came while the box was off
		s.put(4, "2,1100")       // somebody's draft is left alone
		s.put(6, "1,zz00")       // what cannot be read does not fill the memory
		s.put(7, "1,"+reportPDU) // a report that the SIM has kept
		v := run(t, s, Config{})
		synctest.Wait()
		if _, parts, left := s.got(); !strings.HasPrefix(parts, hiPDU+"|a message arrived that the box cannot read") || left != 1 || !slices.Equal(s.reports, []int{0x29}) {
			t.Errorf("at the start %q, %v, %d left", parts, s.reports, left)
		}
		s.put(5, "0,"+part1PDU)
		if !v.URC(at.URC{Line: `+CMTI: "ME",5`}) || v.URC(at.URC{Line: "RING"}) {
			t.Error("whose URC it is")
		}
		synctest.Wait()
		asked, parts, left := s.got()
		if !strings.HasSuffix(asked, "AT+CMGR=5|AT+CMGD=5") || !strings.HasSuffix(parts, part1PDU) || left != 1 {
			t.Errorf("asked %q, got %q, %d left", asked, parts, left)
		}
		v.URC(at.URC{Line: "+CDS: 25", Body: reportPDU})
		synctest.Wait()
		if !slices.Equal(s.reports, []int{0x29, 0x29}) {
			t.Errorf("reports %v", s.reports)
		}
		s.put(9, "0,"+hiPDU) // its +CMTI is lost
		<-time.After(6 * time.Minute)
		synctest.Wait()
		if _, parts, left := s.got(); !strings.HasSuffix(parts, hiPDU) || left != 1 {
			t.Errorf("the sweep left %d", left)
		}
	})
}

// What cannot be saved stays in the modem until it can.
func TestArrivingUnsaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		v := run(t, s, Config{})
		s.mu.Lock()
		s.down = true
		s.mu.Unlock()
		s.put(5, "0,"+hiPDU)
		v.URC(at.URC{Line: `+CMTI: "SM",5`})
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if asked, _, left := s.got(); left != 1 || strings.Contains(asked, "CMGD") {
			t.Errorf("%d left, asked %q", left, asked)
		}
		s.mu.Lock()
		s.down = false
		s.mu.Unlock()
		<-time.After(time.Minute)
		synctest.Wait()
		if _, parts, left := s.got(); left != 0 || parts != hiPDU {
			t.Errorf("%d left, got %q", left, parts)
		}
	})
}

// A hundred indications at once lose no message.
func TestArrivingMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		for i := range 100 {
			s.put(i, "0,"+hiPDU)
		}
		v := run(t, s, Config{})
		for i := range 100 {
			v.URC(at.URC{Line: fmt.Sprintf(`+CMTI: "ME",%d`, i)})
		}
		synctest.Wait()
		if _, parts, left := s.got(); left != 0 || strings.Count(parts, hiPDU) != 100 {
			t.Errorf("%d left, %d parts", left, strings.Count(parts, hiPDU))
		}
	})
}

func TestSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		v := run(t, s, Config{})
		synctest.Wait()
		sent, err := v.SendText(t.Context(), "+15550100", "hellohello")
		if err != nil || sent.Segments != 1 || len(sent.Refs) != 1 {
			t.Fatal(sent, err)
		}
		asked, _, _ := s.got()
		if want := "AT+CMGS=20 00210008915155100000000AE8329BFD4697D9EC37"; !strings.HasSuffix(asked, want) {
			t.Errorf("asked %q", asked)
		}
		sent, err = v.SendText(t.Context(), "+15550100", strings.Repeat("x", 400))
		asked, _, _ = s.got()
		if err != nil || sent.Segments != 3 || len(sent.Refs) != 3 || strings.Count(asked, "AT+CMGS=") != 4 || !strings.Contains(asked, "AT+CMMS=1") {
			t.Errorf("%+v, %v, asked %q", sent, err, asked)
		}
	})
}

func TestSendingErrors(t *testing.T) {
	for _, tc := range []struct {
		name    string
		replies []error
		want    string // "" : sent
		code    int
		took    time.Duration
		trans   bool
	}{
		{"no message centre", []error{&at.CMSError{Code: 330, Text: "the number of the message centre is not known"}}, "the number of the message centre is not known (CMS 330)", 330, 0, false},
		{"unknown number", []error{&at.CMSError{Code: 1, Text: "the number is not in use"}}, "the number is not in use (CMS 1)", 1, 0, false},
		{"congestion that passes", []error{&at.CMSError{Code: 42}, &at.CMSError{Code: 500}}, "", 0, 7 * time.Second, false},
		{"congestion that stays", slices.Repeat([]error{&at.CMSError{Code: 38, Text: "the network is out of order"}}, 6), "the network is out of order (CMS 38)", 38, 112 * time.Second, true},
		{"no answer", []error{fmt.Errorf("x: %w", at.ErrTimeout)}, "the modem did not say whether", 0, 0, false},
		{"no prompt", []error{fmt.Errorf("x: %w", at.ErrPrompt)}, "", 0, 2 * time.Second, false},
		{"SIM busy", []error{&at.CMEError{Code: 14}}, "", 0, 2 * time.Second, false},
		{"no SIM", []error{&at.CMEError{Code: 10, Text: "no SIM is inserted"}}, "no SIM is inserted (CME 10)", 0, 0, false},
		{"unplugged", []error{at.ErrClosed}, "the modem was lost", 0, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				v := run(t, s, Config{})
				synctest.Wait()
				for _, err := range tc.replies {
					s.replies["AT+CMGS"] = append(s.replies["AT+CMGS"], reply{err: err})
				}
				start := time.Now()
				_, err := v.SendText(t.Context(), "+15550100", "x")
				if d := time.Since(start); d != tc.took {
					t.Errorf("it took %v, want %v", d, tc.took)
				}
				if tc.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				var e *hal.TextError
				if !errors.As(err, &e) || !strings.Contains(e.Text, tc.want) || e.Code != tc.code || e.Transient != tc.trans {
					t.Errorf("got %+v (%v)", e, err)
				}
			})
		})
	}
}

func TestUSSD(t *testing.T) {
	for _, tc := range []struct {
		name, line string
		packed     bool
		want       hal.USSDAnswer
		err        error
		asked      string
	}{
		{name: "text", line: `+CUSD: 0,"Credit: 5,20 "EUR"",15`, want: hal.USSDAnswer{Text: `Credit: 5,20 "EUR"`}, asked: `AT+CUSD=1,"*100#",15`},
		{name: "menu", line: `+CUSD: 1,"1 Balance",15`, want: hal.USSDAnswer{Text: "1 Balance", More: true}},
		{name: "UCS-2", line: `+CUSD: 0,"041F04400438043204350442",72`, want: hal.USSDAnswer{Text: "Привет"}},
		{name: "packed", line: `+CUSD: 0,"C834",15`, packed: true, want: hal.USSDAnswer{Text: "Hi"}, asked: `AT+CUSD=1,"AA180C3602",15`},
		{name: "no scheme", line: `+CUSD: 0,"Hi"`, want: hal.USSDAnswer{Text: "Hi"}},
		{name: "ended", line: "+CUSD: 2", err: hal.ErrUSSDRefused},
		{name: "other", line: "+CUSD: 3", err: hal.ErrUSSDBusy},
		{name: "unsupported", line: "+CUSD: 4", err: hal.ErrUSSDRefused},
		{name: "timeout", line: "+CUSD: 5", err: hal.ErrUSSDTimeout},
		{name: "nothing", err: hal.ErrUSSDTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				v := run(t, s, Config{PackedUSSD: tc.packed})
				v.URC(at.URC{Line: `+CUSD: 0,"an advertisement",15`}) // nobody has asked
				if tc.line != "" {
					go func() {
						<-time.After(3 * time.Second)
						v.URC(at.URC{Line: tc.line})
					}()
				}
				a, err := v.USSD(t.Context(), "*100#")
				if a != tc.want && tc.err == nil || !errors.Is(err, tc.err) {
					t.Errorf("got %+v, %v", a, err)
				}
				asked, _, _ := s.got()
				if tc.asked != "" && !strings.Contains(asked, tc.asked) {
					t.Errorf("asked %q", asked)
				}
				if err := v.CancelUSSD(t.Context()); err != nil {
					t.Error(err)
				}
				asked, _, _ = s.got()
				if cancelled := strings.HasSuffix(asked, "AT+CUSD=2"); cancelled != (a.More || tc.line == "") {
					t.Errorf("asked %q", asked)
				}
			})
		})
	}
}

func TestUSSDRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		v := run(t, s, Config{})
		for _, code := range []string{"", "\"", "*100#\r", strings.Repeat("1", 183)} {
			if _, err := v.USSD(t.Context(), code); !errors.Is(err, hal.ErrUSSDRefused) {
				t.Errorf("%q: %v", code, err)
			}
		}
		done := make(chan error)
		go func() {
			_, err := v.USSD(t.Context(), "*100#")
			done <- err
		}()
		synctest.Wait()
		if _, err := v.USSD(t.Context(), "*101#"); !errors.Is(err, hal.ErrUSSDBusy) {
			t.Errorf("a second question: %v", err)
		}
		if err := <-done; !errors.Is(err, hal.ErrUSSDTimeout) {
			t.Error(err)
		}
	})
}

func TestSetup(t *testing.T) {
	s := newStore()
	s.replies["AT+CPMS"] = []reply{{err: &at.CMSError{Code: 302}}}
	s.replies["AT+CNMI"] = []reply{{err: &at.FinalError{Final: at.Failed}}}
	v := New(Config{Do: s.do, Receiver: s})
	if err := v.Setup(t.Context()); err != nil {
		t.Error(err)
	}
	if asked, _, _ := s.got(); asked != `AT+CMGF=0|AT+CPMS="ME","ME","ME"|AT+CPMS="MT","MT","MT"|AT+CNMI=2,1,0,1,0|AT+CNMI=1,1,0,1,0` {
		t.Errorf("asked %q", asked)
	}
	s.replies["AT+CMGF"] = []reply{{err: &at.FinalError{Final: at.Failed}}}
	if err := v.Setup(t.Context()); err == nil {
		t.Error("a modem without messages was set up")
	}
}

// FuzzUSSD: whatever the network says, it is read.
func FuzzUSSD(f *testing.F) {
	f.Add(`+CUSD: 1,"041F",72`, true)
	f.Add(`+CUSD: 0,"C834",15`, false)
	f.Fuzz(func(_ *testing.T, line string, packed bool) {
		_, _ = New(Config{PackedUSSD: packed}).ussdAnswer(line)
	})
}
