package at

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// dialogue answers from a table; what is not in it gets ERROR.
func dialogue(table map[string]string) func(string) string {
	return func(line string) string {
		if a, ok := table[line]; ok {
			return a
		}
		return "\r\nERROR\r\n"
	}
}

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name string
		cmd  Command
		say  string
		want Response
		urcs []string
		err  string
	}{
		{
			name: "plain", cmd: Command{Text: "AT+CSQ", Answers: []string{"+CSQ:"}},
			say:  "\r\n+CSQ: 20,99\r\n\r\nOK\r\n",
			want: Response{Lines: []string{"+CSQ: 20,99"}, Final: OK},
		},
		{
			name: "echo, odd and bare line ends", cmd: Command{Text: "AT+CSQ", Answers: []string{"+CSQ:"}},
			say:  "AT+CSQ\r\r\n+CSQ: 20,99\r\r\n\n+RXDTMF: 8\r\r\nOK\n",
			want: Response{Lines: []string{"+CSQ: 20,99"}, Final: OK}, urcs: []string{"+RXDTMF: 8"},
		},
		{
			name: "no prefix", cmd: Command{Text: "AT+CGSN", Any: true},
			say:  "\r\n\x00+CREG: 1\r\n\r\n861234050123456\r\n\r\nRING\r\n\r\nOK\r\n",
			want: Response{Lines: []string{"861234050123456"}, Final: OK}, urcs: []string{"+CREG: 1", "RING"},
		},
		{
			name: "the same prefix",
			cmd:  Command{Text: "AT+CREG?", Match: func(l string) bool { return strings.HasPrefix(l, "+CREG:") && strings.Count(l, ",") == 1 }},
			say:  "\r\n+CREG: 2\r\n\r\n+CREG: 2,1\r\n\r\nOK\r\n",
			want: Response{Lines: []string{"+CREG: 2,1"}, Final: OK}, urcs: []string{"+CREG: 2"},
		},
		{
			name: "calls end beside commands", cmd: Command{Text: "AT+CSQ", Answers: []string{"+CSQ:"}},
			say:  "\r\nNO CARRIER\r\n\r\n+CSQ: 1,99\r\n\r\nBUSY\r\n\r\nOK\r\n",
			want: Response{Lines: []string{"+CSQ: 1,99"}, Final: OK}, urcs: []string{"NO CARRIER", "BUSY"},
		},
		{
			name: "pairs and doubles", cmd: Command{Text: "AT+CMGL=4", Answers: []string{"+CMGL:"}, Pairs: true},
			say:  "\r\n+CMGL: 1,1,,22\r\n\r\n+CDS: 3\r\n0706AB\r\n0791AABB\r\n+CMGL: 2,1,,3\r\n0011\r\n+CDS: 9\r\nRING\r\n\r\nOK\r\n",
			want: Response{Lines: []string{"+CMGL: 1,1,,22", "0791AABB", "+CMGL: 2,1,,3", "0011"}, Final: OK},
			urcs: []string{"+CDS: 3+0706AB", "+CDS: 9", "RING"},
		},
		{
			name: "a text of several lines", cmd: Command{Text: "AT+CSQ", Answers: []string{"+CSQ:"}},
			say:  "\r\n+CUSD: 1,\"1 Data\r\n2 Minutes\n3 \",15\r\n\r\n+CUSD: 2\r\n\r\n+CSQ: 20,99\r\n\r\nOK\r\n",
			want: Response{Lines: []string{"+CSQ: 20,99"}, Final: OK}, urcs: []string{"+CUSD: 1,\"1 Data\n2 Minutes\n3 \",15", "+CUSD: 2"},
		},
		{name: "busy", cmd: Command{Text: "ATDT123", Class: Dial}, say: "\r\nBUSY\r\n", want: Response{Final: Busy}, err: "BUSY"},
		{name: "error", cmd: Command{Text: "AT+X"}, say: "\r\nERROR\r\n", want: Response{Final: Failed}, err: "refused"},
		{
			name: "cme number", cmd: Command{Text: "AT+CPIN=\"1234\"", Secret: true}, say: "\r\n+CME ERROR: 16\r\n",
			want: Response{Final: CME, Detail: "16"}, err: "AT+CPIN=****: the PIN or password is wrong (CME 16)",
		},
		{name: "cme text", cmd: Command{Text: "AT+X"}, say: "\r\n+CME ERROR: SIM busy\r\n", want: Response{Final: CME, Detail: "SIM busy"}, err: "the SIM is busy (CME 14)"},
		{name: "cms number", cmd: Command{Text: "AT+X"}, say: "\r\n+CMS ERROR: 330\r\n", want: Response{Final: CMS, Detail: "330"}, err: "the number of the message centre is not known (CMS 330)"},
		{name: "cms odd text", cmd: Command{Text: "AT+X"}, say: "\r\n+CMS ERROR: gremlins\r\n", want: Response{Final: CMS, Detail: "gremlins"}, err: "the modem says: gremlins (CMS)"},
		{name: "not a command", cmd: Command{Text: "AT\rATZ"}, err: "control characters"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				e, _ := newModem(t, Config{}, func(string) string { return tc.say })
				r, err := e.Do(context.Background(), tc.cmd)
				if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				if !slices.Equal(r.Lines, tc.want.Lines) || r.Final != tc.want.Final || r.Detail != tc.want.Detail {
					t.Errorf("got %+v, want %+v", r, tc.want)
				}
				if got := drain(e); !slices.Equal(got, tc.urcs) {
					t.Errorf("URCs %q, want %q", got, tc.urcs)
				}
			})
		})
	}
}

func TestTypedErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, _ := newModem(t, Config{}, dialogue(map[string]string{
			"AT+A": "\r\n+CME ERROR: 10\r\n", "AT+B": "\r\n+CMS ERROR: invalid PDU mode parameter\r\n", "AT+C": "\r\nERROR\r\n",
		}))
		var cme *CMEError
		if _, err := e.Do(t.Context(), Command{Text: "AT+A"}); !errors.As(err, &cme) || cme.Code != CMENoSIM {
			t.Errorf("got %v", err)
		}
		var cms *CMSError
		if _, err := e.Do(t.Context(), Command{Text: "AT+B"}); !errors.As(err, &cms) || cms.Code != 304 {
			t.Errorf("got %v", err)
		}
		var f *FinalError
		if _, err := e.Do(t.Context(), Command{Text: "AT+C"}); !errors.As(err, &f) || f.Final != Failed {
			t.Errorf("got %v", err)
		}
	})
}

// A hundred URCs, at every place of an answer that is cut at every byte, come in
// order, and none is in the answer.
func TestHundredURCs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var urcs []string
		var b strings.Builder
		for i := range 100 {
			switch i {
			case 33:
				b.WriteString("\r\n+CLCC: 1,0,0,0,0\r\n")
			case 66:
				b.WriteString("\r\n+CLCC: 2,0,0,0,0\r\n")
			}
			u := []string{"+CMTI: \"ME\",%d", "RING %d", "^RSSI:%d", "+CREG: %d", "NO CARRIER"}[i%5]
			if strings.Contains(u, "%") {
				u = fmt.Sprintf(u, i)
			}
			urcs = append(urcs, u)
			b.WriteString("\r\n" + u + "\r\n")
		}
		b.WriteString("\r\nOK\r\n")
		var m *modem
		e, m := newModem(t, Config{}, func(string) string { return "" })
		m.wg.Go(func() {
			for i := range b.Len() {
				if _, err := m.conn.Write([]byte(b.String()[i : i+1])); err != nil {
					return
				}
			}
		})
		r := must(t, e, Command{Text: "AT+CLCC", Answers: []string{"+CLCC:"}})
		if want := []string{"+CLCC: 1,0,0,0,0", "+CLCC: 2,0,0,0,0"}; !slices.Equal(r.Lines, want) {
			t.Errorf("answer %q, want %q", r.Lines, want)
		}
		if got := drain(e); !slices.Equal(got, urcs) {
			t.Errorf("URCs %q", got)
		}
	})
}

func TestPrompt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var tr []string
		e, m := newModem(t, Config{Trace: func(x Entry) { tr = append(tr, x.Text) }}, dialogue(map[string]string{
			"AT+CMGS=3":    "AT+CMGS=3\r\r\n+CREG: 5\r\n\r\n> ",
			"001122\x1a":   "001122\x1a\r\n\r\n+CMGS: 41\r\n\r\nOK\r\n",
			"AT+CMGS=4":    "\r\n>",
			"00112233\x1a": "\r\n+CMS ERROR: 38\r\n",
			"AT+CMGS=5":    "\r\nOK\r\n",
		}))
		r := must(t, e, Command{Text: "AT+CMGS=3", Answers: []string{"+CMGS:"}, Payload: "001122", Class: Network, Secret: true})
		if r.Value("+CMGS:") != "41" {
			t.Errorf("got %+v", r)
		}
		var cms *CMSError
		if _, err := e.Do(t.Context(), Command{Text: "AT+CMGS=4", Payload: "00112233", Class: Network}); !errors.As(err, &cms) || cms.Code != 38 {
			t.Errorf("got %v", err)
		}
		if _, err := e.Do(t.Context(), Command{Text: "AT+CMGS=5", Payload: "0011", Class: Network}); !errors.Is(err, ErrPrompt) {
			t.Errorf("got %v", err)
		}
		if got := drain(e); !slices.Equal(got, []string{"+CREG: 5"}) {
			t.Errorf("URCs %q", got)
		}
		if m.told() != "AT+CMGS=3|001122\x1a|AT+CMGS=4|00112233\x1a|AT+CMGS=5" {
			t.Errorf("told %q", m.told())
		}
		if all := strings.Join(tr, "|"); strings.Contains(all, "001122|") || strings.Contains(all, "001122\x1a") {
			t.Errorf("a secret is in the trace: %q", all)
		}
	})
}

// What comes after a command's time has run out is no answer of the next.
func TestLateAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const late = "\r\n+CSQ: 3,99\r\n\r\n+CMTI: \"ME\",1\r\n\r\nOK\r\n"
		e, m := newModem(t, Config{}, func(line string) string {
			switch line {
			case "AT+CSQ":
				return ""
			case "AT":
				return late + "\r\nOK\r\n"
			default:
				return "\r\n+COPS: 0\r\n\r\nOK\r\n"
			}
		})
		start := time.Now()
		if _, err := e.Do(t.Context(), Command{Text: "AT+CSQ", Answers: []string{"+CSQ:"}}); !errors.Is(err, ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		r := must(t, e, Command{Text: "AT+COPS?", Answers: []string{"+COPS:"}})
		if !slices.Equal(r.Lines, []string{"+COPS: 0"}) {
			t.Errorf("got %q", r.Lines)
		}
		if got := drain(e); !slices.Equal(got, []string{`+CMTI: "ME",1`}) {
			t.Errorf("URCs %q", got)
		}
		if s := e.Stats(); s.Late != 3 || s.Timeouts != 1 {
			t.Errorf("counted %+v", s)
		}
		if m.told() != "AT+CSQ|AT|AT+COPS?" {
			t.Errorf("told %q", m.told())
		}
	})
}

// A prompt that does not come is left by Esc, so that AT is no text.
func TestLatePrompt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, m := newModem(t, Config{}, dialogue(map[string]string{"AT+CMGS=1": "", "\x1b": "", "AT": "\r\nOK\r\n"}))
		if _, err := e.Do(t.Context(), Command{Text: "AT+CMGS=1", Payload: "00"}); !errors.Is(err, ErrPrompt) || !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v", err)
		}
		must(t, e, Command{Text: "AT"})
		if m.told() != "AT+CMGS=1|\x1b|AT|AT" {
			t.Errorf("told %q", m.told())
		}
	})
}

func TestSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var deaf atomic.Bool
		e, m := newModem(t, Config{Probe: 10 * time.Second}, func(string) string {
			if deaf.Load() {
				return ""
			}
			return "\r\nOK\r\n"
		})
		<-time.After(25 * time.Second)
		synctest.Wait()
		if m.told() != "AT|AT" || e.Stats().Probes != 2 || e.Err() != nil {
			t.Fatalf("told %q, %+v, %v", m.told(), e.Stats(), e.Err())
		}
		deaf.Store(true)
		<-e.Done()
		if !errors.Is(e.Err(), ErrSilent) {
			t.Errorf("ended with %v", e.Err())
		}
		if _, err := e.Do(t.Context(), Command{Text: "AT"}); !errors.Is(err, ErrSilent) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPriorityAndCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hold := make(chan struct{})
		e, m := newModem(t, Config{}, func(line string) string {
			if line == "AT+0" {
				<-hold
			}
			return "\r\nOK\r\n"
		})
		results := make(chan error, maxQueued)
		ask := func(ctx context.Context, text string, p Priority) {
			go func() {
				_, err := e.Do(ctx, Command{Text: text, Priority: p, Timeout: time.Minute})
				results <- err
			}()
			synctest.Wait()
		}
		ask(t.Context(), "AT+0", Normal)
		ask(t.Context(), "AT+B", Background)
		ask(t.Context(), "AT+N", Normal)
		gone, cancel := context.WithCancel(t.Context())
		ask(gone, "AT+GONE", Urgent)
		ask(t.Context(), "AT+U", Urgent)
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		close(hold)
		for range 4 {
			if err := <-results; err != nil {
				t.Errorf("got %v", err)
			}
		}
		if m.told() != "AT+0|AT+U|AT+N|AT+B" {
			t.Errorf("told %q", m.told())
		}
	})
}

func TestQueueFullAndClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, _ := newModem(t, Config{}, func(string) string { return "" })
		results := make(chan error, maxQueued+2)
		for range maxQueued + 2 {
			go func() {
				_, err := e.Do(context.Background(), Command{Text: "AT+X", Class: Network})
				results <- err
			}()
			synctest.Wait()
		}
		if err := <-results; !errors.Is(err, ErrQueueFull) || e.Stats().Refused != 1 {
			t.Errorf("got %v, %+v", err, e.Stats())
		}
		_ = e.Close()
		for range maxQueued + 1 {
			if err := <-results; !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// A dial that is given up is cut short, and its answer is nobody else's.
func TestAbort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, m := newModem(t, Config{}, dialogue(map[string]string{"ATDT123": "", "": "\r\nNO CARRIER\r\n", "ATH": "\r\nOK\r\n"}))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := e.Do(ctx, Command{Text: "ATDT123", Class: Dial, Abort: "\r"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		must(t, e, Command{Text: "ATH"})
		if m.told() != "ATDT123||ATH" || len(drain(e)) != 0 {
			t.Errorf("told %q", m.told())
		}
	})
}

func TestURCsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, m := newModem(t, Config{}, func(string) string { return "\r\nOK\r\n" })
		m.say <- strings.Repeat("\r\nRING\r\n", maxURCs+7)
		must(t, e, Command{Text: "AT"})
		if got := drain(e); len(got) != maxURCs || e.Stats().Lost != 7 {
			t.Errorf("%d URCs, %+v", len(got), e.Stats())
		}
		m.say <- "\r\nRING\r\n"
		if u := <-e.URCs(); u.Lost != 7 {
			t.Errorf("the next one says %d were lost", u.Lost)
		}
	})
}

func TestPortGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, m := newModem(t, Config{}, func(string) string { return "" })
		_ = m.conn.Close()
		<-e.Done()
		if _, err := e.Do(t.Context(), Command{Text: "AT"}); err == nil || !strings.Contains(err.Error(), "port is gone") {
			t.Errorf("got %v", err)
		}
		if _, ok := <-e.URCs(); ok {
			t.Error("the URCs are not closed")
		}
	})
}

func TestFields(t *testing.T) {
	if got := Fields(`1,"a,b", 7,,"x"`); !slices.Equal(got, []string{"1", "a,b", "7", "", "x"}) {
		t.Errorf("got %q", got)
	}
}
