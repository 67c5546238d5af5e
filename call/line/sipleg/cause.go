package sipleg

import (
	"fmt"
	"strings"

	"callbox/call"
	"callbox/sip"
)

// maxText bounds what a far end may write into our causes, in characters.
const maxText = 160

// sentences says what a final status means. The subject is the party called,
// or with line set the line itself.
var sentences = map[int]struct {
	line bool
	text string
}{
	300: {false, "is to be reached elsewhere"},
	301: {false, "is to be reached elsewhere"},
	302: {false, "is to be reached elsewhere"},
	305: {false, "is to be reached by way of another server"},
	380: {false, "is to be reached elsewhere"},
	400: {true, "could not read our request"},
	401: {true, "refused our user name or password"},
	402: {true, "wants to be paid first"},
	403: {true, "does not allow the call"},
	404: {false, "is not known there"},
	405: {true, "takes no calls"},
	406: {true, "could not read our request"},
	407: {true, "refused our user name or password"},
	408: {false, "did not respond in time"},
	410: {false, "is no longer in service"},
	413: {true, "found our request too long"},
	414: {true, "found the number too long"},
	415: {true, "could not read our request"},
	416: {true, "could not read the number"},
	420: {true, "asks for what the box cannot do"},
	421: {true, "asks for what the box cannot do"},
	422: {true, "wants to be asked less often whether the call is still up"},
	428: {true, "wants a signed caller"},
	429: {true, "wants to know who refers the call"},
	430: {true, "has lost the connection to the phone"},
	433: {false, "takes no anonymous calls"},
	436: {true, "cannot check the caller's signature"},
	437: {true, "cannot check the caller's signature"},
	438: {true, "does not believe who calls"},
	480: {false, "is not available"},
	481: {true, "has lost the call"},
	482: {true, "sent the call in circles"},
	483: {true, "sent the call in circles"},
	484: {false, "is not a complete number"},
	485: {false, "may be several parties"},
	486: {false, "is busy"},
	487: {true, "cancelled the call"},
	488: {true, "can do none of our codecs"},
	491: {true, "was busy with another change of the call"},
	493: {true, "could not read our request"},
	494: {true, "wants a protection that was not agreed on"},
	500: {true, "failed"},
	501: {true, "cannot do what was asked for"},
	502: {true, "could not reach the next network"},
	503: {true, "is overloaded or out of service"},
	504: {true, "could not reach the far network in time"},
	505: {true, "speaks another version of SIP"},
	513: {true, "found our request too long"},
	555: {true, "cannot wake the phone"},
	580: {true, "cannot give the call what it needs on the way"},
	600: {false, "is busy"},
	603: {false, "declined the call"},
	604: {false, "does not exist"},
	606: {true, "can do none of our codecs"},
	607: {false, "does not want calls of this caller"},
	608: {true, "does not let calls of this caller through"},
}

// ending is what is needed to tell why a dialog ended.
type ending struct {
	line     string // "trunk provider", "user 201"
	party    string // whom the sentence is about: "+15550100 on trunk provider", "user 201"
	kind     call.Kind
	inbound  bool
	answered bool
}

// cause makes the leg's cause from its dialog's last event.
func (n ending) cause(e *sip.DialogEvent) call.Cause {
	switch {
	case n.answered:
		return n.afterAnswer(e)
	case n.inbound:
		return n.abandoned(e)
	}
	return n.refused(e)
}

// afterAnswer is the end of an answered leg: a BYE, or the network.
func (n ending) afterAnswer(e *sip.DialogEvent) call.Cause {
	if e.By == sip.ByNetwork {
		return call.Cause{
			Q850: call.Q850Temporary, SIP: e.Status, Who: call.Network,
			Text: fmt.Sprintf("the connection to %s was lost%s", n.party, detail(e)),
		}
	}
	c := call.Cause{Q850: call.Q850Normal, SIP: e.Status, Who: call.Remote, Text: n.party + " hung up"}
	if q := e.Reason.Q850; q > 0 && q <= 127 {
		c.Q850 = q
		if q != call.Q850Normal {
			c.Text += detail(e)
		}
	}
	return c
}

// abandoned is the end of an arriving leg before the answer: a CANCEL, or the
// network.
func (n ending) abandoned(e *sip.DialogEvent) call.Cause {
	if e.By == sip.ByNetwork {
		return call.Cause{
			Q850: call.Q850Temporary, SIP: e.Status, Who: call.Network,
			Text: fmt.Sprintf("the connection to the caller on %s was lost%s", n.line, detail(e)),
		}
	}
	c := call.FromSIP(487, call.Remote, "the caller gave up"+quoted(e.Reason.Text))
	if e.Reason.Q850 == 26 || e.Reason.SIP == 200 { // RFC 3326 §2, Q.850 26: non-selected user clearing
		c.Text = "the call was answered elsewhere"
	}
	return c
}

// refused is the end of an outgoing leg before the answer: a final response, or
// none.
func (n ending) refused(e *sip.DialogEvent) call.Cause {
	who := call.Network
	if e.By == sip.ByRemote && (n.kind == call.User || byParty(e.Status)) {
		who = call.Remote
	}
	subject, text := n.party, "ended the attempt"
	if s, ok := sentences[e.Status]; ok {
		text = s.text
		if s.line {
			subject = n.line
		}
	} else {
		subject = n.line
	}
	switch e.By {
	case sip.ByNetwork:
		subject, text = n.line, "cannot be reached"
	case sip.ByLocal: // the stack itself gave up: its text says why
		who, subject, text = call.Box, "the call to "+n.party, "cannot go on"
	case sip.ByRemote:
	}
	c := call.FromSIP(e.Status, who, subject+" "+text+detail(e))
	if q := e.Reason.Q850; q > 0 && q <= 127 {
		c.Q850 = q
	}
	return c
}

// byParty reports whether a status tells what the party called did, not what
// the network between did.
func byParty(status int) bool {
	switch status {
	case 433, 480, 486, 600, 603, 607:
		return true
	}
	return false
}

// detail is what the far end said itself: " (SIP 486 Busy Here; Q.850 17: User
// busy; 399 try again at noon)".
func detail(e *sip.DialogEvent) string {
	var parts []string
	if e.By == sip.ByNetwork { // nobody sent a status
		if t := clean(e.Text); t != "" {
			parts = append(parts, t)
		}
	} else if e.Status != 0 && e.Status != 200 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("SIP %d %s", e.Status, clean(e.Text))))
	}
	if e.Reason.Q850 != 0 {
		parts = append(parts, strings.TrimSuffix(fmt.Sprintf("Q.850 %d: %s", e.Reason.Q850, clean(e.Reason.Text)), ": "))
	} else if t := clean(e.Reason.Text); t != "" {
		parts = append(parts, t)
	}
	if t := clean(e.Warning); t != "" {
		parts = append(parts, t)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

func quoted(text string) string {
	if text = clean(text); text != "" {
		return " (" + text + ")"
	}
	return ""
}

// clean makes a far end's text fit for a sentence: printable and short.
func clean(s string) string {
	out := make([]rune, 0, min(len(s), maxText))
	for _, r := range s {
		if len(out) == maxText {
			break
		}
		if r >= ' ' && r != 0x7f && r != '\uFFFD' {
			out = append(out, r)
		}
	}
	return strings.TrimSpace(string(out))
}

// reason is what the far end is told about c.
func reason(c call.Cause) sip.Reason {
	r := sip.Reason{Q850: c.Q850, Text: clean(c.Text)}
	if c.SIP >= 300 && c.SIP <= 699 {
		r.SIP = c.SIP
	}
	return r
}

// rank orders the causes of phones that were rung together: what a phone that
// answered our request did says more than one that is not there, and "busy" is
// told only when every phone that answered is busy.
func rank(c call.Cause) int {
	switch {
	case c.Who == call.Network || c.SIP >= 500 && c.SIP < 600:
		return 0
	case c.Outcome() == call.Busy:
		return 1
	}
	return 2
}
