package sip

import (
	"context"
	"fmt"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// Message is a request within a dialog that is about neither its state nor its
// session: INFO (RFC 6086), MESSAGE (RFC 3428), NOTIFY (RFC 6665) and the like.
type Message struct {
	Method      string
	Headers     []Header // those that this package does not interpret
	ContentType string   // empty without a Body
	Body        []byte
}

// Response is the final response to a request of ours.
type Response struct {
	Status int    // 200…699
	Text   string // reason phrase
}

// reserved are the methods by which a dialog is run, which nobody else may send.
var reserved = map[string]bool{
	"INVITE": true, "ACK": true, "BYE": true, "CANCEL": true, "UPDATE": true, "PRACK": true, "REGISTER": true,
}

// validate says why a message cannot be sent.
func (m Message) validate() error {
	switch {
	case !isToken(m.Method) || m.Method != strings.ToUpper(m.Method):
		return fmt.Errorf("sip: %q is not a method", clean(m.Method))
	case reserved[m.Method]:
		return fmt.Errorf("sip: a dialog sends %s itself", m.Method)
	case strings.ContainsAny(m.ContentType, "\r\n\x00") || m.ContentType == "" && len(m.Body) > 0:
		return fmt.Errorf("sip: the content of %s has no type that could be sent", m.Method)
	}
	return checkHeaders(m.Headers)
}

// isToken reports whether s is a token (RFC 3261 §25.1) that could be a method.
func isToken(s string) bool {
	return s != "" && len(s) <= 32 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-.!%*_+`'~", r)
	})
}

// Tell sends a request in an answered dialog and waits for its final response.
// One that refuses is no error. The error is ErrEnded, ErrState, ErrTimeout,
// ErrTransport, that of ctx, or says what is wrong with m.
func (d *Dialog) Tell(ctx context.Context, m Message) (Response, error) {
	if err := m.validate(); err != nil {
		return Response{}, err
	}
	result, err := d.tell(m)
	if err != nil {
		return Response{}, err
	}
	select {
	case r := <-result:
		return r.Response, r.err
	case <-d.done:
		return Response{}, ErrEnded
	case <-ctx.Done():
		return Response{}, ctx.Err()
	}
}

// told is how a request of ours went.
type told struct {
	Response
	err error
}

// tell starts a request; its outcome arrives on the channel.
func (d *Dialog) tell(m Message) (<-chan told, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told {
		return nil, ErrEnded
	}
	if d.state != dsUp && d.state != dsAnswered {
		return nil, ErrState
	}
	req := d.request(gosip.RequestMethod(m.Method), 0)
	if m.Method == string(gosip.REFER) || m.Method == string(gosip.SUBSCRIBE) { // they make a usage of the dialog (RFC 6665 §4.1)
		req.AppendHeader(gosip.HeaderClone(d.path.contact))
	}
	for _, h := range m.Headers {
		req.AppendHeader(gosip.NewHeader(h.Name, h.Value))
	}
	setBody(req, m.ContentType, m.Body)
	result := make(chan told, 1)
	err := d.send(req, func(res *gosip.Response, _ wire.Flow, err error) {
		var r told
		switch {
		case err == nil && res.StatusCode < 200:
			return
		case err != nil:
			r.err = err
		default:
			r.Response = Response{Status: res.StatusCode, Text: clean(res.Reason)}
			if res.StatusCode >= 300 {
				err = statusError(res)
			}
		}
		select {
		case result <- r:
		default:
		}
		d.checkGone(err)
	})
	return result, err
}

// onMessage takes an INFO, MESSAGE or NOTIFY of the far end.
func (d *Dialog) onMessage(req *gosip.Request, tx *wire.ServerTx) {
	if d.state == dsEnding {
		d.reply(tx, req, 481)
		return
	}
	d.reply(tx, req, 200)
	d.emit(DialogEvent{Type: Told, Message: &Message{Method: string(req.Method), Headers: headersOf(req), ContentType: bodyType(req), Body: req.Body()}})
}
