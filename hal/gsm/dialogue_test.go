package gsm_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

var update = flag.Bool("update", false, "rewrite the dialogues in testdata")

// TestDialogues: what is said with each family from the plug to the end of a call
// out and a call in, PIN included, is what stands in testdata. Polls, which may come
// at any place, are left out.
func TestDialogues(t *testing.T) {
	for _, f := range families() {
		t.Run(string(f), func(t *testing.T) {
			var mu sync.Mutex
			var said strings.Builder
			skipping := false
			trace := func(e at.Entry) {
				mu.Lock()
				defer mu.Unlock()
				if e.Out {
					skipping = false
					for _, poll := range []string{"AT+CLCC", "AT+CREG?", "AT+CGREG?", "AT+CEREG?", "AT+COPS?", "AT+CSQ", `AT+QCFG="ims"`, "AT+CPIN?", "AT+QLTS=1", "AT+CCLK?"} {
						skipping = skipping || e.Text == poll
					}
				}
				answer := e.Text == "OK" || strings.HasPrefix(e.Text, "+CLCC: 1,0") && strings.Count(e.Text, ",") < 7 || strings.HasPrefix(e.Text, "+CLCC: 3") || strings.Contains(e.Text, "REG: 2,")
				for _, a := range []string{"+COPS:", "+CSQ:", `+QCFG: "ims"`, "+CPIN: READY", "+QLTS:", "+CCLK:"} {
					answer = answer || strings.HasPrefix(e.Text, a)
				}
				if skipping && (e.Out || answer) || strings.Contains(e.Text, "REG: 2") || strings.HasPrefix(e.Text, "+CLCC: 1,1") && strings.Count(e.Text, ",") < 7 {
					return
				}
				arrow := "< "
				if e.Out {
					arrow = "> "
				}
				said.WriteString(arrow + e.Text + "\n")
			}
			synctest.Test(t, func(t *testing.T) {
				mc := modemConfig(f)
				mc.Card.PIN = "1234"
				b := newBench(t, mc, gsm.Config{PIN: "1234", Trace: trace}, cell.Faults{})
				ctx := context.Background()
				part := func(name string) {
					<-time.After(3 * time.Second)
					synctest.Wait()
					mu.Lock()
					said.WriteString("\n# " + name + "\n")
					mu.Unlock()
				}
				b.ready()
				part("a call out, a key, the far end hangs up")
				if err := b.port.Dial(ctx, "+15550199", false); err != nil {
					t.Fatal(err)
				}
				if err := b.modem.Subscriber().WaitRing(ctx); err != nil {
					t.Fatal(err)
				}
				<-time.After(2 * time.Second)
				if err := b.modem.PickUp(ctx); err != nil {
					t.Fatal(err)
				}
				for e := range b.port.Events() {
					if e.Type == hal.ModemAnswered {
						break
					}
				}
				<-time.After(2 * time.Second)
				if err := b.port.SendDigit(ctx, '5'); err != nil {
					t.Fatal(err)
				}
				if err := b.modem.HangUp(ctx); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemReleased)
				part("a call in, answered, the far end presses 7, the box hangs up")
				if err := b.modem.Call(ctx, ""); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemIncoming)
				if err := b.port.Answer(ctx); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemAnswered)
				<-time.After(2 * time.Second)
				if err := b.modem.Press(ctx, "7"); err != nil {
					t.Fatal(err)
				}
				<-time.After(2 * time.Second)
				b.drain()
				b.port.Hangup()
				b.next(hal.ModemReleased)
				<-time.After(3 * time.Second)
			})
			path := filepath.Join("testdata", strings.ToLower(string(f))+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(said.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := said.String(); !slices.Equal(commands(got), commands(string(want))) || !slices.Equal(answers(got), answers(string(want))) {
				t.Errorf("said\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// commands are what the driver said, in its order, and where in the dialogue.
func commands(dialogue string) []string {
	return slices.DeleteFunc(strings.Split(dialogue, "\n"), func(l string) bool { return strings.HasPrefix(l, "< ") })
}

// answers are what the modem said, sorted: what it reports by itself crosses what the
// driver says in the same moment, in either order, and the report of a PIN that was
// right may be covered with the PIN.
func answers(dialogue string) []string {
	all := slices.DeleteFunc(strings.Split(dialogue, "\n"), func(l string) bool { return !strings.HasPrefix(l, "< ") || strings.Contains(l, "+CPIN") })
	slices.Sort(all)
	return all
}
