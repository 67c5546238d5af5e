package wire

import (
	"bytes"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Message is one that was sent or received, for whoever watches the wire.
type Message struct {
	At     time.Time
	Sent   bool
	Flow   Flow
	CallID string
	Raw    []byte // only until the watcher returns
}

// watchSent shows a message that goes out. What belongs to no call is not shown.
func (l *Layer) watchSent(flow Flow, raw []byte) {
	if l.cfg.Watch == nil {
		return
	}
	if id := headerOf(raw, "Call-ID"); id != "" && !routine(headerOf(raw, "CSeq")) {
		l.cfg.Watch(Message{At: time.Now(), Sent: true, Flow: flow, CallID: id, Raw: raw})
	}
}

// watchReceived shows a message that came in and passed the check. Strangers'
// are not shown: they could wash out everybody else's.
func (l *Layer) watchReceived(m sip.Message, flow Flow, raw []byte) {
	if l.cfg.Watch == nil || routine(m.CSeq().Value()) {
		return
	}
	if _, isRequest := m.(*sip.Request); isRequest && !l.handler.Known(flow) {
		return
	}
	l.cfg.Watch(Message{At: time.Now(), Flow: flow, CallID: m.CallID().Value(), Raw: raw})
}

// routine reports whether a CSeq is that of a message that keeps things going
// and belongs to no call.
func routine(cseq string) bool {
	for _, method := range []string{"REGISTER", "OPTIONS"} {
		if len(cseq) > len(method) && cseq[len(cseq)-len(method):] == method {
			return true
		}
	}
	return false
}

// headerOf is the value of a header in a message that the box wrote, with the
// name as the encoder writes it.
func headerOf(raw []byte, name string) string {
	_, rest, ok := bytes.Cut(raw, []byte("\r\n"+name+": "))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return string(value)
}
