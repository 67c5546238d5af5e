package gsm_test

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
	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
	"callbox/hal/sms"
)

// inbox saves what arrives.
type inbox struct {
	mu      sync.Mutex // guards all below
	parts   map[string][]string
	texts   []string
	reports []hal.TextReport
}

func (i *inbox) TextArrived(p hal.TextPart) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	key := fmt.Sprint(p.Ref, p.Total)
	if i.parts[key] == nil {
		i.parts[key] = make([]string, p.Total)
	}
	i.parts[key][p.Seq-1] = p.PDU
	if !slices.Contains(i.parts[key], "") {
		text, err := sms.Join(i.parts[key])
		if err != nil {
			return err
		}
		delete(i.parts, key)
		i.texts = append(i.texts, text)
	}
	return nil
}

func (i *inbox) TextReported(r hal.TextReport) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.reports = append(i.reports, r)
	return nil
}

func (i *inbox) got() (texts []string, reports []hal.TextReport) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.texts), slices.Clone(i.reports)
}

// TestTexts sends and takes text messages on each family, with the real PDUs of
// both sides: the simulated network has an encoder and a decoder of its own.
func TestTexts(t *testing.T) {
	bodies := []string{"Hello, world", "€ [brackets] {braces} ~^|\\", "Привет 😀 мир", strings.Repeat("0123456789", 153), strings.Repeat("你好😀", 160), "a\nb"}
	for _, f := range families() {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := &inbox{parts: map[string][]string{}}
				b := newBench(t, modemConfig(f), gsm.Config{Texts: in}, cell.Faults{})
				b.ready()
				for _, body := range bodies {
					sent, err := b.port.SendText(t.Context(), "+15550199", body)
					if err != nil || sent.Segments != sms.Count(body, nil) || len(sent.Refs) != sent.Segments {
						t.Errorf("%q: %+v, %v", body[:5], sent, err)
					}
				}
				<-time.After(5 * time.Second)
				if got := b.modem.Subscriber().Texts(); !slices.Equal(got, bodies) {
					t.Errorf("the subscriber got %q", got)
				}
				for _, body := range bodies {
					b.modem.Subscriber().Text(body)
					<-time.After(10 * time.Second)
				}
				texts, reports := in.got()
				if !slices.Equal(texts, bodies) {
					t.Errorf("the box got %q", texts)
				}
				n := 0
				for _, body := range bodies {
					n += sms.Count(body, nil)
				}
				if len(reports) != n || !reports[0].Done || reports[0].To != "+15550199" {
					t.Errorf("%d reports of %d, %+v", len(reports), n, reports[0])
				}
			})
		})
	}
}

// TestTextTrouble: messages whose URC was lost, a full memory, an unplugged modem,
// a network that refuses.
func TestTextTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{parts: map[string][]string{}}
		b := newBench(t, modemConfig(cell.EC25), gsm.Config{Texts: in}, cell.Faults{})
		b.ready()
		b.modem.SetFaults(cell.Faults{MuteURCs: true})
		for i := range 30 { // more than the memory holds
			b.modem.Subscriber().Text(fmt.Sprint(i))
		}
		<-time.After(16 * time.Minute)
		texts, _ := in.got()
		if len(texts) != 30 || texts[29] != "29" {
			t.Errorf("the box got %q", texts)
		}
		b.modem.SetFaults(cell.Faults{TextError: 330})
		var te *hal.TextError
		if _, err := b.port.SendText(t.Context(), "+15550199", "x"); !errors.As(err, &te) || te.Code != 330 || te.Transient {
			t.Errorf("got %v", err)
		}
		b.modem.SetFaults(cell.Faults{Undelivered: true})
		if _, err := b.port.SendText(t.Context(), "+15550199", "x"); err != nil {
			t.Error(err)
		}
		<-time.After(5 * time.Second)
		if _, r := in.got(); len(r) != 1 || r[0].Done || !r[0].Final || !strings.Contains(r[0].Text, "expired") {
			t.Errorf("reports %+v", r)
		}
		b.modem.SetFaults(cell.Faults{Unplugged: true})
		<-time.After(5 * time.Second)
		b.modem.Subscriber().Text("while it was away")
		if _, err := b.port.SendText(t.Context(), "+15550199", "x"); !errors.As(err, &te) || !te.Transient {
			t.Errorf("got %v", err)
		}
		b.modem.SetFaults(cell.Faults{})
		b.ready()
		<-time.After(30 * time.Second)
		if texts, _ := in.got(); texts[len(texts)-1] != "while it was away" {
			t.Errorf("the box got %q", texts)
		}
	})
}

// TestUSSD asks the network of each family.
func TestUSSD(t *testing.T) {
	for _, f := range families() {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, modemConfig(f), gsm.Config{Texts: &inbox{}}, cell.Faults{})
				b.ready()
				ask := func(code string, want hal.USSDAnswer) {
					t.Helper()
					if a, err := b.port.USSD(context.Background(), code); err != nil || a != want {
						t.Errorf("%s: %+v, %v", code, a, err)
					}
				}
				ask("*100#", hal.USSDAnswer{Text: "Your credit is 12.50 EUR"})
				ask("*101#", hal.USSDAnswer{Text: "1 Data\n2 Minutes", More: true})
				ask("1", hal.USSDAnswer{Text: "You have 3 GB until 30 November"})
				ask("*101#", hal.USSDAnswer{Text: "1 Data\n2 Minutes", More: true})
				if err := b.port.CancelUSSD(t.Context()); err != nil {
					t.Error(err)
				}
				ask("*100#", hal.USSDAnswer{Text: "Your credit is 12.50 EUR"})
				if _, err := b.port.USSD(t.Context(), "*999#"); !errors.Is(err, hal.ErrUSSDRefused) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestUSSDUnplugged: who asks the network by a modem that is pulled out is told so at
// once.
func TestUSSDUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, modemConfig(cell.EC25), gsm.Config{Texts: &inbox{}}, cell.Faults{})
		b.ready()
		asked := make(chan error, 1)
		go func() {
			_, err := b.port.USSD(t.Context(), "*100#")
			asked <- err
		}()
		<-time.After(500 * time.Millisecond) // the modem has taken it, the network has not answered
		b.rack.Unplug(b.modem)
		select {
		case err := <-asked:
			if !errors.Is(err, hal.ErrNotReady) {
				t.Errorf("got %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("nobody answers")
			<-asked
		}
	})
}
