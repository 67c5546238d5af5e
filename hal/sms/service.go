package sms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// Do asks a modem a command; [at.Engine.Do] is one.
type Do func(ctx context.Context, c at.Command) (at.Response, error)

// Config is what a [Service] needs. Do and Receiver are required.
type Config struct {
	Do       Do
	Receiver hal.TextReceiver
	// Sweep is how often the SIM is looked through for what nobody told of; 0: 5 min.
	Sweep time.Duration
	// Tables are the national language tables for sending, see [Options].
	Tables []int
	// PackedUSSD says that the modem wants and gives USSD texts as packed GSM-7 in
	// hexadecimal digits (Huawei).
	PackedUSSD bool
	// Gone is closed when the modem has gone, so that nobody waits for it; nil: never.
	Gone <-chan struct{}
	Log  *slog.Logger // nil: no log
}

// Limits of a service.
const (
	maxNews    = 64 // indications waiting; beyond, a sweep takes their place
	sweepEvery = 5 * time.Minute
	againAfter = 30 * time.Second // what the receiver could not save
)

// pauses are how long a message that fails for the moment waits until it is tried
// again.
var pauses = []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}

// Service is the message procedure on one modem, as long as that is plugged in.
type Service struct {
	cfg    Config
	news   chan at.URC
	sweeps chan struct{} // a token: look through the SIM

	send sync.Mutex // one text at a time, so that its parts stay together
	ref  int        // of the next text in parts; send

	ussd sync.Mutex // one question at a time

	mu      sync.Mutex      // guards what follows
	open    bool            // the network waits for an answer by USSD
	asked   bool            // a question is under way
	answers chan at.URC     // +CUSD while a question is under way
	unsaved map[string]bool // messages that could not be saved, to be logged once
}

// New makes a service. Run it after Setup.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Sweep <= 0 {
		c.Sweep = sweepEvery
	}
	return &Service{cfg: c, news: make(chan at.URC, maxNews), sweeps: make(chan struct{}, 1),
		ref: int(time.Now().UnixNano()/1e6) & 0xFF, answers: make(chan at.URC, 1), unsaved: map[string]bool{}}
}

// Setup tells the modem how messages are handled: as PDUs, kept in its memory and
// indicated, reports handed over at once. The error says that it has no messages.
func (s *Service) Setup(ctx context.Context) error {
	if _, err := s.cfg.Do(ctx, at.Command{Text: "AT+CMGF=0", Class: at.Radio}); err != nil {
		return fmt.Errorf("the modem does not take messages: %w", err)
	}
	// The modem's own memory where it has one, else the SIM's.
	var kept error
	for _, m := range []string{`"ME","ME","ME"`, `"MT","MT","MT"`, `"SM","SM","SM"`} {
		if _, kept = s.cfg.Do(ctx, at.Command{Text: "AT+CPMS=" + m, Answers: []string{"+CPMS:"}, Class: at.SIM}); kept == nil {
			break
		}
	}
	if kept != nil {
		return fmt.Errorf("the modem has no memory for messages: %w", kept)
	}
	// Reports with ds=1: as +CDSI they cannot be read on some modems.
	for _, ind := range []string{"AT+CNMI=2,1,0,1,0", "AT+CNMI=1,1,0,1,0", "AT+CNMI=2,1,0,0,0"} {
		if _, err := s.cfg.Do(ctx, at.Command{Text: ind, Class: at.Radio}); err == nil {
			return nil
		}
	}
	s.cfg.Log.Warn("the modem does not tell of messages; they are found every few minutes")
	return nil
}

// URC takes a line that the modem said by itself, and reports whether it is about
// messages or USSD. It does not block.
func (s *Service) URC(u at.URC) bool {
	switch {
	case strings.HasPrefix(u.Line, "+CUSD:"):
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.asked {
			s.open = false // a network that speaks first is not answered
			return true
		}
		select {
		case s.answers <- u:
		default:
		}
		return true
	case hasAny(u.Line, "+CMTI:", "+CMT:", "+CDS:", "+CDSI:"):
		select {
		case s.news <- u:
		default:
			s.Sweep()
		}
		return true
	case hasAny(u.Line, "SMSMEMFULL", "^SMMEMFULL:", "SMS DONE", "SMS READY", "SMS Ready"):
		s.Sweep()
		return true
	}
	return false
}

func hasAny(line string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// Sweep has the memory looked through soon. It does not block.
func (s *Service) Sweep() {
	select {
	case s.sweeps <- struct{}{}:
	default:
	}
}

// Run takes what arrives until ctx ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Sweep)
	defer tick.Stop()
	again := time.NewTimer(0) // the first sweep is at once
	defer again.Stop()
	for {
		var whole bool
		select {
		case <-ctx.Done():
			return
		case u := <-s.news:
			whole = s.take(ctx, u)
		case <-s.sweeps:
			whole = s.sweep(ctx)
		case <-again.C:
			whole = s.sweep(ctx)
		case <-tick.C:
			whole = s.sweep(ctx)
		}
		if !whole && ctx.Err() == nil {
			again.Reset(againAfter)
		}
	}
}

// take handles an indication; false when it has to be done again.
func (s *Service) take(ctx context.Context, u at.URC) bool {
	switch {
	case u.Body != "": // +CMT, +CDS: the PDU itself
		if !s.deliver(u.Body) {
			// A report that cannot be saved is lost; the modem has not kept it.
			s.cfg.Log.Error("a report on a message was lost, because it could not be saved")
		}
		return true
	case hasAny(u.Line, "+CMTI:", "+CDSI:"):
		fields := at.Fields(u.Line[strings.IndexByte(u.Line, ':')+1:])
		if len(fields) < 2 {
			return s.sweep(ctx)
		}
		index, err := strconv.Atoi(fields[1])
		if err != nil {
			return s.sweep(ctx)
		}
		return s.fetch(ctx, index)
	}
	return true
}

// fetch reads a message of the memory, and deletes it when it is safe.
func (s *Service) fetch(ctx context.Context, index int) bool {
	r, err := s.cfg.Do(ctx, at.Command{Text: "AT+CMGR=" + strconv.Itoa(index), Answers: []string{"+CMGR:"}, Pairs: true,
		Class: at.SIM, Priority: at.Background, Secret: true})
	var cms *at.CMSError
	if errors.As(err, &cms) && cms.Code == 321 { // it is not there any more
		return true
	}
	if err != nil {
		s.cfg.Log.Warn("a message could not be read from the modem", "err", err)
		return false
	}
	if len(r.Lines) < 2 {
		return true
	}
	return s.settle(ctx, index, r.Lines[0], r.Lines[1])
}

// sweep reads all that lies in the memory.
func (s *Service) sweep(ctx context.Context) bool {
	r, err := s.cfg.Do(ctx, at.Command{Text: "AT+CMGL=4", Answers: []string{"+CMGL:"}, Pairs: true,
		Class: at.SIM, Priority: at.Background, Secret: true})
	if err != nil {
		s.cfg.Log.Warn("the modem's memory for messages could not be read", "err", err)
		return false
	}
	whole := true
	for i := 0; i+1 < len(r.Lines); {
		head, pdu := r.Lines[i], r.Lines[i+1]
		if !strings.HasPrefix(head, "+CMGL:") || strings.HasPrefix(pdu, "+CMGL:") {
			i++
			continue
		}
		i += 2
		index, rest, found := strings.Cut(strings.TrimSpace(head[len("+CMGL:"):]), ",")
		n, err := strconv.Atoi(strings.TrimSpace(index))
		if err != nil || !found {
			continue
		}
		whole = s.settle(ctx, n, "+CMGR: "+rest, pdu) && whole
	}
	return whole
}

// settle hands a message over and deletes it when it is safe.
func (s *Service) settle(ctx context.Context, index int, head, pdu string) bool {
	// 2 and 3 are messages that somebody stored to be sent; they are not ours.
	stat := at.Fields(strings.TrimPrefix(head, "+CMGR:"))[0]
	if stat == "2" || stat == "3" {
		return true
	}
	if !s.deliver(pdu) {
		return false
	}
	_, err := s.cfg.Do(ctx, at.Command{Text: "AT+CMGD=" + strconv.Itoa(index), Class: at.SIM, Priority: at.Background})
	if err != nil {
		s.cfg.Log.Warn("a message could not be deleted from the modem; it may be taken twice", "err", err)
		return false
	}
	return true
}

// deliver gives the receiver what arrived, and reports whether it is safe.
func (s *Service) deliver(pdu string) bool {
	part, report, err := Read(pdu)
	switch {
	case err != nil:
		part = &hal.TextPart{At: time.Now(), Total: 1, Seq: 1, PDU: pdu, Problem: "a message arrived that the box cannot read: " + err.Error()}
		err = s.cfg.Receiver.TextArrived(*part)
	case report != nil:
		err = s.cfg.Receiver.TextReported(*report)
	default:
		if part.At.IsZero() {
			part.At = time.Now()
		}
		err = s.cfg.Receiver.TextArrived(*part)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.unsaved, pdu)
		return true
	}
	if !s.unsaved[pdu] && len(s.unsaved) < maxNews {
		s.unsaved[pdu] = true
		s.cfg.Log.Error("a message stays in the modem, because it could not be saved", "err", err)
	}
	return false
}

// SendText implements [hal.Texter].
func (s *Service) SendText(ctx context.Context, to, body string) (hal.TextSent, error) {
	s.send.Lock()
	defer s.send.Unlock()
	s.ref = (s.ref + 1) & 0xFF
	list, err := Encode(to, body, Options{Ref: s.ref, Tables: s.cfg.Tables, Report: true})
	if err != nil {
		return hal.TextSent{}, &hal.TextError{Text: err.Error()}
	}
	sent := hal.TextSent{Segments: len(list)}
	if len(list) > 1 { // the link is kept up between the parts, where the modem can
		_, _ = s.cfg.Do(ctx, at.Command{Text: "AT+CMMS=1"})
	}
	for i, p := range list {
		ref, err := s.sendPart(ctx, p)
		if err != nil {
			e := explain(err)
			e.Sent = i
			return sent, e
		}
		sent.Refs = append(sent.Refs, ref)
	}
	return sent, nil
}

// sendPart sends one PDU, and tries again what fails for the moment.
func (s *Service) sendPart(ctx context.Context, p PDU) (ref int, err error) {
	for try := 0; ; try++ {
		r, err := s.cfg.Do(ctx, at.Command{Text: "AT+CMGS=" + strconv.Itoa(p.Length), Answers: []string{"+CMGS:"},
			Class: at.Network, Payload: p.Hex, Secret: true})
		if err == nil {
			ref, err := strconv.Atoi(at.Fields(r.Value("+CMGS:"))[0])
			if err != nil {
				return -1, nil // sent, but no report will find it
			}
			return ref & 0xFF, nil
		}
		if try >= len(pauses) || !transient(err) {
			return 0, err
		}
		s.cfg.Log.Info("the message is sent again", "after", pauses[try], "err", err)
		t := time.NewTimer(pauses[try])
		select {
		case <-t.C:
		case <-s.cfg.Gone:
			t.Stop()
			return 0, err
		case <-ctx.Done():
			t.Stop()
			return 0, err
		}
	}
}

// transient reports whether what failed may work later (TS 27.005 §3.2.5, TS
// 24.011 annex E). A command without an answer is not among it: the network may
// have the message.
func transient(err error) bool {
	var cms *at.CMSError
	if errors.As(err, &cms) {
		switch cms.Code {
		case 22, 38, 41, 42, 47, 192, 194, 301, 314, 331, 332, 500:
			return true
		}
		return false
	}
	var cme *at.CMEError
	if errors.As(err, &cme) {
		switch cme.Code {
		case at.CMESIMBusy, 30, 31:
			return true
		}
		return false
	}
	return errors.Is(err, at.ErrPrompt)
}

// explain makes a sentence of what failed.
func explain(err error) *hal.TextError {
	var cms *at.CMSError
	var cme *at.CMEError
	switch {
	case errors.As(err, &cms):
		return &hal.TextError{Code: cms.Code, Text: cms.Error(), Transient: transient(err)}
	case errors.As(err, &cme):
		return &hal.TextError{Text: cme.Error(), Transient: transient(err)}
	case errors.Is(err, at.ErrTimeout) && !errors.Is(err, at.ErrPrompt):
		return &hal.TextError{Text: "the modem did not say whether the network took the message"}
	case errors.Is(err, at.ErrPrompt):
		return &hal.TextError{Text: "the modem did not take the message", Transient: true}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &hal.TextError{Text: "the message was given up before the modem had it", Transient: true}
	default:
		return &hal.TextError{Text: "the modem was lost while it sent the message: " + err.Error(), Transient: true}
	}
}
