package sip

import (
	"errors"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// leastSession is the shortest session interval that we take (RFC 4028 §4), and
// that anybody may ask of others.
const leastSession = 90 * time.Second

// session is the timer of a dialog's session (RFC 4028). The dialog's lock guards
// it.
type session struct {
	terms   Terms
	expires time.Duration // 0: none runs
	least   time.Duration // Min-SE as far as we know
	ours    bool          // we are the one who refreshes
	update  bool          // the far end takes UPDATE
	sdp     []byte        // what we said last: a refresh says it again
	party   string        // the far end's latest identity headers within the dialog
	next    *wire.Timer   // the refresh
	end     *wire.Timer   // of the session
}

// interval is what one side says of the timer in a message.
type interval struct {
	known     bool          // it knows session timers
	expires   time.Duration // 0: it does not ask for one
	least     time.Duration // Min-SE
	refresher string        // "uac", "uas" or empty, from the view of the request
}

// intervalOf reads Session-Expires and Min-SE. What does not parse is as if it
// were not there.
func intervalOf(m gosip.Message) interval {
	i := interval{known: supports(m, "timer"), least: leastSession}
	for _, name := range []string{"Session-Expires", "x"} {
		if hs := m.GetHeaders(name); len(hs) > 0 && i.expires == 0 {
			parts := strings.Split(hs[0].Value(), ";")
			i.expires = secondsOf(parts[0])
			for _, p := range parts[1:] {
				if k, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(k), "refresher") {
					i.refresher = strings.ToLower(strings.TrimSpace(v))
				}
			}
		}
	}
	if hs := m.GetHeaders("Min-SE"); len(hs) > 0 {
		v, _, _ := strings.Cut(hs[0].Value(), ";")
		i.least = max(i.least, secondsOf(v))
	}
	return i
}

// secondsOf reads delta-seconds of at most a day; longer is as good as never.
func secondsOf(v string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, 24*time.Hour)
}

// tooShort reports whether a request must be refused with 422 (RFC 4028 §9): only
// those who know what that means can be.
func (t Terms) tooShort(asked interval) bool {
	return t.Timer != Off && asked.known && asked.expires > 0 && asked.expires < leastSession
}

// grant is what we answer to a request: the interval, 0 for none, and whether the
// refreshes are ours (RFC 4028 §9, table 2).
func (t Terms) grant(asked interval, running session) (expires time.Duration, ours bool) {
	switch {
	case t.Timer == Off, t.Timer != Always && !asked.known && asked.expires == 0:
		return 0, false
	case asked.expires == 0:
		expires = t.expires()
	default:
		expires = min(asked.expires, t.expires())
	}
	switch {
	case !asked.known:
		ours = true
	case asked.refresher == "" && running.expires > 0:
		ours = running.ours
	default:
		ours = asked.refresher != "uac"
	}
	return max(expires, asked.least), ours
}

// secs writes a number of whole seconds.
func secs(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }

// tooShortHeaders are those of a 422.
func tooShortHeaders() []gosip.Header {
	return []gosip.Header{gosip.NewHeader("Min-SE", secs(leastSession))}
}

// wish are the headers of a request of ours that refreshes the session, or, with
// first, begins it.
func (s *session) wish(first bool) []gosip.Header {
	t := s.terms
	var hs []gosip.Header
	if required := t.required(); first && required != "" {
		hs = append(hs, gosip.NewHeader("Require", required))
	}
	if t.Timer == Off || !first && s.expires == 0 {
		return hs
	}
	expires, refresher := max(t.expires(), s.least), ""
	if !first {
		expires, refresher = max(s.expires, s.least), ";refresher=uas"
		if s.ours {
			refresher = ";refresher=uac"
		}
	}
	return append(hs, gosip.NewHeader("Session-Expires", secs(expires)+refresher), gosip.NewHeader("Min-SE", secs(max(s.least, leastSession))))
}

// lengthen takes the Min-SE of a 422 into a request that is to be sent again;
// false when that would not help.
func lengthen(req *gosip.Request, res *gosip.Response) bool {
	least := intervalOf(res).least
	was := intervalOf(req)
	if res.StatusCode != 422 || was.expires == 0 || least <= was.expires && least <= was.least {
		return false
	}
	refresher := ""
	if was.refresher != "" {
		refresher = ";refresher=" + was.refresher
	}
	for _, h := range []gosip.Header{
		gosip.NewHeader("Session-Expires", secs(max(was.expires, least))+refresher), gosip.NewHeader("Min-SE", secs(least)),
	} {
		req.RemoveHeader(h.Name())
		req.AppendHeader(h)
	}
	return true
}

// learn notes what a message of the far end tells of its abilities.
func (s *session) learn(m gosip.Message) {
	if list := tokens(m, "Allow"); len(list) > 0 {
		s.update = hasToken(list, "UPDATE")
	}
}

// grantTo adds what we grant to a 2xx of ours and starts the timer. It is called
// with mu held.
func (d *Dialog) grantTo(res *gosip.Response, req *gosip.Request) {
	s := &d.session
	s.learn(req)
	asked := intervalOf(req)
	expires, ours := s.terms.grant(asked, *s)
	if expires > 0 {
		refresher := ";refresher=uac"
		if ours {
			refresher = ";refresher=uas"
		}
		if asked.known {
			res.AppendHeader(gosip.NewHeader("Require", "timer"))
		}
		res.AppendHeader(gosip.NewHeader("Session-Expires", secs(expires)+refresher))
	}
	d.keepAlive(expires, ours)
}

// granted takes what the far end's 2xx to a request of ours says (RFC 4028 §7.2).
// It is called with mu held.
func (d *Dialog) granted(res *gosip.Response) {
	s := &d.session
	s.learn(res)
	i := intervalOf(res)
	switch {
	case s.terms.Timer == Off:
		d.keepAlive(0, false)
	case i.expires > 0:
		d.keepAlive(i.expires, i.refresher != "uas")
	case s.terms.Timer == Always: // we ask for a sign of life all the same
		d.keepAlive(max(s.terms.expires(), s.least), true)
	default:
		d.keepAlive(0, false)
	}
}

// keepAlive starts the session's timer anew; 0 ends it. It is called with mu held.
func (d *Dialog) keepAlive(expires time.Duration, ours bool) {
	s := &d.session
	s.stop()
	s.expires, s.ours = expires, ours
	if expires == 0 || d.state == dsEnding || d.state == dsOver {
		return
	}
	last := expires
	if ours {
		s.next = d.s.wire.After(expires/2, d.refresh)
	} else {
		last -= min(32*time.Second, expires/3) // RFC 4028 §10: so that the BYE comes in time
	}
	s.end = d.s.wire.After(last, d.expire)
}

func (s *session) stop() {
	s.next.Stop()
	s.end.Stop()
	s.next, s.end = nil, nil
}

// refresh asks the far end for a sign of life: by UPDATE, or by a re-INVITE that
// changes nothing.
func (d *Dialog) refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.session
	if d.told || d.state == dsEnding || s.expires == 0 || !s.ours {
		return
	}
	if d.ack != nil || d.ask(d.sameAgain()) != nil { // something else is under way, or no way is known
		s.next = d.s.wire.After(4*d.s.cfg.T1, d.refresh)
	}
}

// sameAgain is the request that changes nothing. It is called with mu held.
func (d *Dialog) sameAgain() ours {
	o := ours{method: gosip.UPDATE, refresh: true}
	if s := &d.session; !s.update && len(s.sdp) > 0 {
		o.method, o.sdp = gosip.INVITE, s.sdp
	}
	return o
}

// refused is a refresh that the far end did not take. It is called with mu held,
// the timer goes on.
func (d *Dialog) refused(o *ours, err error) {
	s := &d.session
	if d.told || !s.ours || s.expires == 0 {
		return
	}
	wait := 10 * d.s.cfg.T1
	var se *StatusError
	switch {
	case errors.Is(err, ErrGlare):
		wait = d.backoff()
	case errors.As(err, &se) && o.method == gosip.UPDATE && se.Status < 500 || se != nil && se.Status == 501:
		s.update, wait = false, 0
	case se != nil:
		wait = max(wait, se.RetryAfter)
	}
	s.next.Stop()
	s.next = d.s.wire.After(wait, d.refresh)
}

// expire ends a session that nobody refreshed.
func (d *Dialog) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told || d.state != dsUp && d.state != dsAnswered {
		return
	}
	if d.ack != nil {
		d.ack.tx.Acknowledged() // nobody listens: stop repeating the 200
	}
	text := "the far end did not refresh the session in time"
	if d.session.ours {
		text = "the far end did not take the refresh of the session"
	}
	r := Reason{Q850: 102, Text: "session timer expired"}
	d.bye(r, DialogEvent{Status: 408, Text: text, Reason: r, By: ByNetwork})
}
