package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
)

// Texts takes what applications answer to text messages.
type Texts interface {
	// Reply sends r as an answer to the message with this id; what r leaves open
	// follows from that.
	Reply(ctx context.Context, id string, r call.Message) error
}

// AnswerTexts has t take the answers of applications to text messages. It must be
// called before Run.
func (d *Deliverer) AnswerTexts(t Texts) { d.texts = t }

// maxTextTurns is how many documents one text message may lead through.
const maxTextTurns = 6

// sendText asks an application what to do about a text message, and does it. What
// cannot be asked, or not read, goes to the fallback at once.
func (d *Deliverer) sendText(ctx context.Context, o api.Outgoing) error {
	err := d.askText(ctx, o)
	if err == nil || o.Fallback == nil {
		return err
	}
	d.tellFailed(o, err)
	f := *o.Fallback
	f.Text, f.Token = o.Text, o.Token
	if len(f.Params) > 0 {
		var fe *script.FetchError
		if !errors.As(err, &fe) {
			fe = fetchError("asking", o.URL, err)
		}
		f.Params = append(append([]api.Param{}, f.Params...), api.Param{Name: "ErrorCode", Value: fmt.Sprint(fe.Code)}, api.Param{Name: "ErrorUrl", Value: fe.URL})
	}
	if d.askText(ctx, f) == nil {
		return nil
	}
	return err
}

// askText follows one address.
func (d *Deliverer) askText(ctx context.Context, o api.Outgoing) error {
	dialect, ok := d.client.dialects[o.API]
	if !ok {
		return fmt.Errorf("no dialect %q", o.API)
	}
	for range maxTextTurns {
		a, err := d.client.tell(ctx, o)
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(a.body)) == 0 || d.texts == nil {
			return nil
		}
		doc, err := dialect.Decode(a.body, a.kind, a.url)
		if err != nil {
			return decodeError(a.url, err)
		}
		next, err := d.runText(ctx, o, doc, strings.HasPrefix(a.kind, "text/plain"))
		if err != nil || next.IsZero() {
			return err
		}
		o.URL, o.Username, o.Password = next.URL, next.Username, next.Password
		if next.Method != "" {
			o.Method = next.Method
		}
	}
	return &script.FetchError{Code: codeInternal, URL: publicURL(o.URL), Err: errors.New("the answers to a text message redirect in a circle")}
}

// runText sends the messages of a document, and gives where it redirects to. Text
// without mark-up is a reply. Other verbs have no meaning for a text message.
func (d *Deliverer) runText(ctx context.Context, o api.Outgoing, doc script.Document, plain bool) (call.Hook, error) {
	for _, v := range doc.Verbs {
		var r call.Message
		switch x := v.(type) {
		case script.Message:
			r = call.Message{From: x.From, To: x.To, Body: x.Body, Hook: x.Status}
		case *script.Message:
			r = call.Message{From: x.From, To: x.To, Body: x.Body, Hook: x.Status}
		case script.Say:
			if !plain {
				d.client.log.Warn("a verb has no meaning in the answer to a text message", "message", o.Text, "verb", v.Name())
				continue
			}
			r = call.Message{Body: x.Speech.Text}
		case script.Redirect:
			return x.Hook, nil
		case *script.Redirect:
			return x.Hook, nil
		default:
			d.client.log.Warn("a verb has no meaning in the answer to a text message", "message", o.Text, "verb", v.Name())
			continue
		}
		if err := d.texts.Reply(ctx, o.Text, r); err != nil {
			// Asking again would not help; the reply's own failure is told where it is kept.
			d.client.log.Warn("the reply to a text message cannot be sent", "message", o.Text, "err", err)
			d.tellFailed(o, fmt.Errorf("the reply to a text message cannot be sent: %w", err))
		}
	}
	return call.Hook{}, nil
}

// TextStatus gives the notices that the status of m owes to its hook.
func (d *Deliverer) TextStatus(m call.Message) []call.Notice {
	dialect, ok := d.client.dialects[m.API].(api.TextDialect)
	if !ok || m.Hook.IsZero() {
		return nil
	}
	var out []call.Notice
	for _, o := range dialect.TextCallback(m) {
		out = append(out, d.textNotice(m.ID, m, o)...)
	}
	return out
}

// TextArrived gives the notice that asks an application what to do about m: main,
// and fallback when that fails. The messages of a sender are asked about in order.
func (d *Deliverer) TextArrived(m call.Message, main, fallback call.Hook) []call.Notice {
	dialect, ok := d.client.dialects[m.API].(api.TextDialect)
	if !ok || main.IsZero() {
		return nil
	}
	o := fill(dialect.TextRequest(main, m), m.Account, m.API)
	o.Text = m.ID
	if !fallback.IsZero() {
		f := fill(dialect.TextRequest(fallback, m), m.Account, m.API)
		o.Fallback = &f
	}
	return d.textNotice("text "+m.Line+" "+m.From, m, o)
}

func (d *Deliverer) textNotice(key string, m call.Message, o api.Outgoing) []call.Notice {
	payload, err := json.Marshal(fill(o, m.Account, m.API))
	if err == nil && len(payload) > MaxPayload {
		err = fmt.Errorf("it takes %d bytes, the limit is %d", len(payload), MaxPayload)
	}
	if err != nil {
		d.counters.oversize.Add(1)
		d.client.log.Error("a message about a text message cannot be stored", "message", m.ID, "url", publicURL(o.URL), "err", err)
		return nil
	}
	return []call.Notice{{Key: key, Created: time.Now(), Payload: payload}}
}
