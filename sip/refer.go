package sip

import (
	"net/url"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

const (
	// referPatience is how long, in T1, a Referral may wait for Accept or Refuse.
	referPatience = 48
	// referLife is how long, in T1, its reports go on at most: 180 s, as long as a
	// phone may ring.
	referLife = 360
	// fragType is the content of the reports (RFC 3515 §2.4.5, RFC 3420).
	fragType = "message/sipfrag;version=2.0"
)

// Referral is a REFER of the far end in an answered dialog (RFC 3515): it wants us
// to call somebody. Accept or Refuse it, or it is refused after 48 T1; after
// Accept tell with Progress how that call goes, until its final status. A dialog
// has one at a time; another meanwhile is answered 491. The methods may be called
// from any goroutine, and also after the dialog has ended: a phone may hang up as
// soon as its wish is accepted, and is told all the same (RFC 5589 §6.1).
type Referral struct {
	Target    string   // URI of Refer-To without its headers
	User      string   // its user part, empty without one
	By        string   // URI of Referred-By (RFC 3892), empty without one
	UserAgent string   // of the far end
	Headers   []Header // all that this package does not interpret, Refer-To and Referred-By included

	d      *Dialog
	id     uint32 // CSeq of the REFER
	silent bool   // Refer-Sub: false (RFC 4488)
	// replaces is what the new call is to replace, as a Replaces header has it.
	replaces string
	attended bool

	// What follows is guarded by the dialog's lock.
	req     *gosip.Request
	tx      *wire.ServerTx // nil after the answer
	over    bool           // no more reports
	sending bool           // one is on its way
	next    *report        // the latest that waits for it
	last    report
	timer   *wire.Timer
}

// report is a NOTIFY about the call that the far end wanted.
type report struct {
	status int
	text   string
	end    string // reason of the subscription's end; empty: it goes on
}

// onRefer takes a REFER. It is called with mu held.
func (d *Dialog) onRefer(req *gosip.Request, tx *wire.ServerTx) {
	if old := d.referral; old != nil && !old.over || d.state != dsUp && d.state != dsAnswered {
		d.reply(tx, req, 491)
		return
	}
	if len(d.events) >= maxEvents-keepEvents { // nobody would hear of it
		d.reply(tx, req, 503, gosip.NewHeader("Retry-After", "2"))
		return
	}
	r := &Referral{d: d, id: req.CSeq().SeqNo, req: req, tx: tx, Headers: headersOf(req)}
	if status := r.read(); status != 0 {
		d.reply(tx, req, status)
		return
	}
	d.referral = r
	r.timer = d.s.wire.After(referPatience*d.s.cfg.T1, func() { _ = r.Refuse(480) })
	d.emit(DialogEvent{Type: Referred, Referral: r})
}

// read takes the referral from its message and gives the status that refuses it,
// 0 when nothing is wrong.
func (r *Referral) read() int {
	to, n := anyHeader(r.req, "Refer-To", "r")
	if n != 1 || len(r.req.GetHeaders("Replaces")) > 0 { // RFC 3515 §2.4.2, RFC 3891 §3
		return 400
	}
	uri := addressIn(to)
	if scheme, _, _ := strings.Cut(uri, ":"); !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") && !strings.EqualFold(scheme, "tel") {
		return 416
	}
	var u gosip.Uri
	if err := gosip.ParseUri(uri, &u); err != nil || u.Host == "" && u.Scheme != "tel" {
		return 400
	}
	if m, ok := wire.Param(u.UriParams, "method"); ok && !strings.EqualFold(m, "INVITE") {
		return 501 // it is a way to have us send anything to anybody
	}
	if r.replaces, r.attended = wire.Param(u.Headers, "Replaces"); r.attended {
		r.replaces, _ = url.PathUnescape(r.replaces)
	}
	u.Headers = nil
	r.User, r.Target = userOf(u), clean(u.String())
	by, _ := anyHeader(r.req, "Referred-By", "b")
	r.By = clean(addressIn(by))
	if h := r.req.GetHeader("User-Agent"); h != nil {
		r.UserAgent = clean(h.Value())
	}
	if h := r.req.GetHeader("Refer-Sub"); h != nil {
		v, _, _ := strings.Cut(h.Value(), ";")
		r.silent = strings.EqualFold(strings.TrimSpace(v), "false")
	}
	return 0
}

// anyHeader gives the first header of a name or its short form, and how many there are.
func anyHeader(m gosip.Message, name, short string) (value string, n int) {
	hs := append(m.GetHeaders(name), m.GetHeaders(short)...)
	if len(hs) == 0 {
		return "", 0
	}
	return strings.TrimSpace(hs[0].Value()), len(hs)
}

// addressIn is the URI of a header's value: what stands in brackets, else all of
// it. Phones forget the brackets around URIs that need them.
func addressIn(v string) string {
	quoted := false
	for i := 0; i < len(v); i++ {
		switch {
		case quoted && v[i] == '\\':
			i++
		case v[i] == '"':
			quoted = !quoted
		case v[i] == '<' && !quoted:
			uri, _, _ := strings.Cut(v[i+1:], ">")
			return strings.TrimSpace(uri)
		}
	}
	return strings.TrimSpace(v)
}

// Silent reports whether the far end wants no reports: then only Refuse can tell
// it that nothing comes of its wish.
func (r *Referral) Silent() bool { return r.silent }

// Replaces tells whether the new call is to take the place of another dialog (RFC
// 3891), as an attended transfer wants it: of which one of the stack, or with what
// status that is refused, 400, 481, 486 or 603.
func (r *Referral) Replaces() (attended bool, d *Dialog, refused int) {
	if !r.attended {
		return false, nil, 0
	}
	d, refused = r.d.s.replaced(r.replaces)
	return true, d, refused
}

// Accept answers 202 and reports that we try.
func (r *Referral) Accept() error {
	d := r.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.tx == nil {
		return r.answered()
	}
	res := d.response(r.req, 202, nil)
	if r.silent {
		res.AppendHeader(gosip.NewHeader("Refer-Sub", "false"))
	}
	err := sipError(r.tx.Respond(res))
	r.tx, r.req = nil, nil
	r.timer.Stop()
	if r.silent {
		r.over = true
		return err
	}
	r.timer = d.s.wire.After(referLife*d.s.cfg.T1, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		r.report(report{r.last.status, r.last.text, "timeout"})
	})
	r.report(report{status: 100, text: phrase(100)})
	return err
}

// answered is why a referral cannot be answered. It is called with mu held.
func (r *Referral) answered() error {
	if r.d.told {
		return ErrEnded
	}
	return ErrState
}

// Refuse answers with a status 300…699.
func (r *Referral) Refuse(status int) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	if r.tx == nil {
		return r.answered()
	}
	r.refuse(status)
	return nil
}

// refuse is called with mu held.
func (r *Referral) refuse(status int) {
	if r.tx != nil {
		r.d.reply(r.tx, r.req, status)
	}
	r.tx, r.req, r.over = nil, nil, true
	r.timer.Stop()
}

// Progress reports the status of the call that the far end wanted; text empty is
// the usual phrase. A final status, 200…699, ends the reports. What the far end
// no longer wants to hear is not sent.
func (r *Referral) Progress(status int, text string) {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	if r.tx != nil || status < 100 || status > 699 {
		return
	}
	if text == "" {
		text = phrase(status)
	}
	n := report{status: status, text: text}
	if status >= 200 {
		n.end = "noresource"
	}
	r.report(n)
}

// report sends a NOTIFY, or keeps it until the one before it has been answered:
// they must not overtake each other. It is called with mu held.
func (r *Referral) report(n report) {
	if r.over || r.next != nil && r.next.end != "" {
		return
	}
	r.last = n
	if r.sending {
		r.next = &n
		return
	}
	r.notify(n)
}

// notify is called with mu held.
func (r *Referral) notify(n report) {
	d := r.d
	req := d.request(gosip.NOTIFY, 0)
	state := "active;expires=" + strconv.Itoa(int((referLife * d.s.cfg.T1).Seconds()))
	if n.end != "" {
		state = "terminated;reason=" + n.end
		r.over = true
		if d.wanted == nil {
			r.timer.Stop()
		}
	}
	req.AppendHeader(gosip.HeaderClone(d.path.contact))
	req.AppendHeader(gosip.NewHeader("Event", "refer;id="+strconv.FormatUint(uint64(r.id), 10)))
	req.AppendHeader(gosip.NewHeader("Subscription-State", state))
	setBody(req, fragType, []byte("SIP/2.0 "+strconv.Itoa(n.status)+" "+n.text+"\r\n"))
	r.sending = true
	err := d.send(req, func(res *gosip.Response, _ wire.Flow, err error) {
		if err == nil && res.StatusCode < 200 {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		r.sending = false
		// Whoever does not take it has lost the subscription, not the call (RFC 5057 §5.1).
		if err != nil || res.StatusCode >= 300 {
			r.stop()
			return
		}
		if next := r.next; next != nil {
			r.next = nil
			r.notify(*next)
			return
		}
		r.hangup()
	})
	if err != nil {
		r.sending = false
		r.stop()
	}
}

// byeAfterReport puts a BYE off until the last report has been answered, for 4 T1
// at most: a phone that has hung up no longer hears that it was in vain, or was
// not. It is false when there is none. It is called with mu held, in dsUp.
func (d *Dialog) byeAfterReport(why Reason) bool {
	r := d.referral
	if r == nil || !r.sending || !r.over && (r.next == nil || r.next.end == "") {
		return false
	}
	if d.wanted == nil {
		d.wanted = &why
		r.timer.Stop()
		r.timer = d.s.wire.After(4*d.s.cfg.T1, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			r.hangup()
		})
	}
	return true
}

// hangup sends the BYE that was put off. It is called with mu held.
func (r *Referral) hangup() {
	if w := r.d.wanted; w != nil && r.d.state == dsUp {
		r.d.wanted = nil
		r.timer.Stop()
		r.d.bye(*w, DialogEvent{Status: 200, Reason: *w, By: ByLocal})
	}
}

// stop ends the reports. It is called with mu held.
func (r *Referral) stop() {
	r.over, r.next = true, nil
	r.timer.Stop()
	r.hangup()
}

// onSubscribe takes a SUBSCRIBE to the reports of a referral (RFC 3515 §2.4.4):
// it asks for the present one, or wants no more. It is called with mu held.
func (d *Dialog) onSubscribe(req *gosip.Request, tx *wire.ServerTx) {
	r := d.referral
	event := ""
	if h := req.GetHeader("Event"); h != nil {
		event, _, _ = strings.Cut(h.Value(), ";")
	}
	switch {
	case !strings.EqualFold(strings.TrimSpace(event), "refer"):
		d.reply(tx, req, 489)
		return
	case r == nil || r.over || r.tx != nil:
		d.reply(tx, req, 481)
		return
	}
	res := d.response(req, 200, nil)
	expires := "0"
	last := r.last
	if h := req.GetHeader("Expires"); h != nil && strings.TrimSpace(h.Value()) == "0" {
		last.end = "timeout"
	} else {
		expires = strconv.Itoa(int((referLife * d.s.cfg.T1).Seconds()))
	}
	res.AppendHeader(gosip.NewHeader("Expires", expires))
	_ = tx.Respond(res)
	r.report(last)
}
