package sipleg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/call"
	"callbox/media/dtmf"
	"callbox/sip"
)

// inform takes a request within the call: some phones send their keys in INFO.
func (l *Leg) inform(m *sip.Message) {
	if d, held, ok := dtmfRelay(m.ContentType, m.Body); ok && m.Method == "INFO" {
		// Who has sent events once sends all its keys so; with them the other side of a
		// relay hears the key, which is not to be told of it again.
		if l.talk.released != nil || !l.audio.sawEvents() && l.audio.once.Press(dtmf.Message, d, time.Now(), held) {
			l.events.digit(d, true)
		}
		return
	}
	out := &call.SIPMessage{Method: m.Method, ContentType: m.ContentType, Body: strings.ToValidUTF8(string(m.Body), "\uFFFD")}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, call.Header(h))
	}
	l.events.message(out)
}

// Tell implements call.Teller.
func (l *Leg) Tell(ctx context.Context, m call.SIPMessage) (call.SIPResponse, error) {
	select {
	case <-l.over:
		return call.SIPResponse{}, call.ErrLegEnded
	default:
	}
	d := l.line.Load()
	if d == nil {
		return call.SIPResponse{}, fmt.Errorf("send %s before the answer: %w", m.Method, call.ErrWrongState)
	}
	out := sip.Message{Method: m.Method, ContentType: m.ContentType, Body: []byte(m.Body)}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, sip.Header(h))
	}
	res, err := d.Tell(ctx, out)
	switch {
	case errors.Is(err, sip.ErrState):
		err = fmt.Errorf("send %s: %w", m.Method, call.ErrWrongState)
	case err != nil:
		err = fmt.Errorf("send %s: %w", m.Method, ended(err))
	}
	return call.SIPResponse{Status: res.Status, Reason: res.Text}, err
}

// tellDigit sends a digit by SIP INFO, for a far end whose sound goes elsewhere.
func (l *Leg) tellDigit(ctx context.Context, digit byte, d time.Duration) error {
	res, err := l.Tell(ctx, call.SIPMessage{
		Method: "INFO", ContentType: "application/dtmf-relay",
		Body: fmt.Sprintf("Signal=%c\r\nDuration=%d\r\n", digit, d.Milliseconds()),
	})
	if err == nil && res.Status >= 300 {
		err = fmt.Errorf("send digit: the far end answered INFO with %d %s", res.Status, res.Reason)
	}
	return err
}

// dtmfRelay reads the digit of a SIP INFO body and how long it was pressed, 0 when
// that is not said; ok is false when there is no digit.
// application/dtmf-relay is "Signal=5\r\nDuration=160", application/dtmf is
// the digit alone; both are conventions without an RFC (RFC 6086 §1 names them).
func dtmfRelay(contentType string, body []byte) (digit byte, held time.Duration, ok bool) {
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf":
		digit, ok = key(bytes.TrimSpace(body))
	case "application/dtmf-relay":
		for line := range bytes.Lines(body) {
			name, value, found := bytes.Cut(line, []byte("="))
			name, value = bytes.TrimSpace(name), bytes.TrimSpace(value)
			switch {
			case !found:
			case bytes.EqualFold(name, []byte("signal")):
				digit, ok = key(value)
			case bytes.EqualFold(name, []byte("duration")):
				if ms, err := strconv.ParseUint(string(value), 10, 16); err == nil {
					held = time.Duration(ms) * time.Millisecond
				}
			}
		}
	}
	return digit, held, ok
}

// key reads "5", "#", "a", and the event numbers 10…15 that some phones send
// (RFC 4733 §3.2).
func key(v []byte) (byte, bool) {
	switch len(v) {
	case 1:
		d := bytes.ToUpper(v)[0]
		return d, validDigit(d)
	case 2:
		if v[0] == '1' && v[1] >= '0' && v[1] <= '5' {
			return "*#ABCD"[v[1]-'0'], true
		}
	}
	return 0, false
}

// validDigit reports whether d is one of the sixteen keys.
func validDigit(d byte) bool { return strings.IndexByte("0123456789*#ABCD", d) >= 0 }
