package cell

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testConfig(f Family) Config {
	return Config{Family: f, IMEI: "860000000000011", Number: "+15550100", Caller: "+15550199", Card: Card{IMSI: "310260000000011", ICCID: "8901260000000000011", PIN: "1234"}}
}

// talkTo plugs a modem in, says lines to it and gives what it answers.
func talkTo(t *testing.T, f Family, faults Faults, lines ...string) string {
	t.Helper()
	var out strings.Builder
	synctest.Test(t, func(t *testing.T) {
		r, m := NewRack(), NewModem(NewNetwork(), testConfig(f))
		defer m.Close()
		m.SetFaults(faults)
		r.Plug(m, "1-1")
		defer r.Unplug(m)
		ttys, err := r.TTYs()
		if err != nil {
			t.Fatal(err)
		}
		path := ""
		for _, tty := range ttys {
			if tty.Interface == m.traits.at {
				path = tty.Path
			}
		}
		p, err := r.OpenStream(path)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		if err := p.Discard(); err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if _, err := p.TryWrite([]byte(l)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 4096)
			for {
				n, err := p.ReadUntil(buf, time.Now().Add(3*time.Second))
				if err != nil || n == 0 {
					break
				}
				out.Write(buf[:n])
			}
		}
	})
	return out.String()
}

// TestDialogue compares what the modem says, byte by byte.
func TestDialogue(t *testing.T) {
	for _, c := range []struct {
		name   string
		family Family
		faults Faults
		say    []string
		want   string
	}{
		{"echo", EC25, Faults{}, []string{"AT\r"}, "AT\r\r\nOK\r\n"},
		{"echo off", EC25, Faults{}, []string{"ATE0\r", "AT\r"}, "ATE0\r\r\nOK\r\n\r\nOK\r\n"},
		{"noise before", EC25, Faults{}, []string{"ATE0\r", "\x80xxAT\r"}, "ATE0\r\r\nOK\r\n\r\nOK\r\n"},
		{"double CR", EC25, Faults{DoubleCR: true}, []string{"ATE0\r", "AT+CGMM\r"}, "ATE0\r\r\r\nOK\r\r\n\r\r\nEC25\r\r\n\r\r\nOK\r\r\n"},
		{"setting without its comma", EC25, Faults{}, []string{"ATE0\r", "AT+QCFG=\"ims\"1\r", "AT+QCFG=\"ims\",\r", "AT+QCFG=\"ims\",9\r"},
			"ATE0\r\r\nOK\r\n\r\nERROR\r\n\r\nERROR\r\n\r\nERROR\r\n"},
		{"unknown", SIM7600, Faults{}, []string{"ATE0\r", "AT+NONE\r"}, "ATE0\r\r\nOK\r\n\r\nERROR\r\n"},
		{"PIN wanted", EC25, Faults{}, []string{"ATE0\r", "AT+CPIN?\r", "AT+CIMI\r"}, "ATE0\r\r\nOK\r\n\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n\r\n+CME ERROR: 11\r\n"},
		{"errors in words", EC25, Faults{}, []string{"ATE0\r", "AT+CMEE=2\r", "AT+CIMI\r"}, "ATE0\r\r\nOK\r\n\r\nOK\r\n\r\n+CME ERROR: SIM PIN required\r\n"},
		{"wrong PIN", EC25, Faults{}, []string{"ATE0\r", "AT+CPIN=\"4321\"\r", "AT+QPINC=\"SC\"\r"}, "ATE0\r\r\nOK\r\n\r\n+CME ERROR: 16\r\n\r\n+QPINC: \"SC\",2,10\r\n\r\nOK\r\n"},
		{"wrong PIN thrice", SIM7600, Faults{}, []string{"ATE0\r", "AT+CPIN=\"1\"\r", "AT+CPIN=\"1\"\r", "AT+CPIN=\"1\"\r", "AT+CPIN?\r"},
			"ATE0\r\r\nOK\r\n\r\n+CME ERROR: 16\r\n\r\n+CME ERROR: 16\r\n\r\n+CME ERROR: 12\r\n\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n"},
		{"busy SIM", E1550, Faults{SIMBusy: 1}, []string{"ATE0\r", "AT+CPIN?\r", "AT^CPIN?\r"}, "ATE0\r\r\nOK\r\n\r\n+CME ERROR: 14\r\n\r\n^CPIN: SIM PIN,3,10,3,10,3\r\n\r\nOK\r\n"},
		{"sound without a call", SIM7600, Faults{}, []string{"ATE0\r", "AT+CPCMREG=1\r"}, "ATE0\r\r\nOK\r\n\r\nERROR\r\n"},
		{"sound twice", EC25, Faults{}, []string{"ATE0\r", "AT+QPCMV=1,0\r", "AT+QPCMV=1,0\r", "AT+QPCMV=0\r", "AT+QPCMV=1,0\r"},
			"ATE0\r\r\nOK\r\n\r\nOK\r\n\r\nERROR\r\n\r\nOK\r\n\r\nOK\r\n"},
		{"silent", EC25, Faults{Silent: true}, []string{"AT\r"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := talkTo(t, c.family, c.faults, c.say...); got != c.want {
				t.Errorf("it says\n%q, want\n%q", got, c.want)
			}
		})
	}
}

// TestUnlocking: a PUK sets another PIN.
func TestUnlocking(t *testing.T) {
	c := newCard(Card{PIN: "1234"})
	for range 3 {
		c.enter("1111")
	}
	if c.enter("1234") || c.state() != "SIM PUK" || c.unblock("87654321", "5678") || c.puk != 9 {
		t.Errorf("a locked card: %+v", c)
	}
	if !c.unblock("12345678", "5678") || c.state() != "READY" {
		t.Errorf("an unlocked card: %+v", c)
	}
	c.reset()
	if c.state() != "SIM PIN" || c.enter("1234") || !c.enter("5678") {
		t.Errorf("after its power was lost: %+v", c)
	}
}

// TestSwitches: every fault can be switched by name and back.
func TestSwitches(t *testing.T) {
	m := NewModem(NewNetwork(), testConfig(EC25))
	defer m.Close()
	for _, f := range m.Faults() {
		for _, v := range []string{"on", "3", "20ms", "1.5"} {
			if m.SetFault(f.Name, v) == nil {
				break
			}
		}
		if err := m.SetFault(f.Name, "off"); err != nil {
			t.Error(err)
		}
	}
	if m.faultsNow() != (Faults{}) {
		t.Errorf("left over: %+v", m.faultsNow())
	}
}

// FuzzCommands: whatever bytes come, the modem does not fall over, and answers AT
// afterwards.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{"AT\r", "ATD5550123;\rAT+CHUP\r", "AT+CPIN=\"1\"\r", "\x80\xffAT+", "AT+CREG=\rAT&\rAT=\rAT?\r", "at+clcc=1\rA/\rATDi;\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 512 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			r, m := NewRack(), NewModem(NewNetwork(), testConfig(EC25))
			defer m.Close()
			r.Plug(m, "1-1")
			defer r.Unplug(m)
			m.command(b)
			<-time.After(time.Minute)
			m.command([]byte("\r"))
			<-time.After(time.Minute)
		})
	})
}
