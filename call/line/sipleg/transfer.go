package sipleg

import (
	"strings"

	"callbox/call"
	"callbox/sip"
)

// transfer takes a REFER of the far end.
func (l *Leg) transfer(r *sip.Referral) {
	t := &call.Transfer{To: r.User, URI: r.Target, By: r.By, User: UserOf(r.By), UserAgent: r.UserAgent, Trusted: l.cfg.Transfers, Reply: r}
	var d *sip.Dialog
	if t.Attended, d, t.Missing = r.Replaces(); d != nil {
		if t.Replaces = legOf(d); t.Replaces == nil {
			t.Missing = 481
		}
	}
	for _, h := range r.Headers {
		switch name := strings.ToLower(h.Name); {
		case name == "refer-to", name == "r":
			t.Headers = append(t.Headers, call.Header{Name: "Refer-To", Value: h.Value})
		case name == "referred-by", name == "b":
			t.Headers = append(t.Headers, call.Header{Name: "Referred-By", Value: h.Value})
		case strings.HasPrefix(name, "x-"):
			t.Headers = append(t.Headers, call.Header(h))
		}
	}
	l.log.Info("the far end wants a transfer", "to", masked(t.To), "attended", t.Attended)
	if !l.events.transfer(t) {
		_ = r.Refuse(503) // it may have given up meanwhile
	}
}

// legOf is the leg of a dialog, or the one of another kind of line for which it
// stands; nil when it has none.
func legOf(d *sip.Dialog) call.Leg {
	l, _ := d.Bound().(call.Leg)
	return l
}
