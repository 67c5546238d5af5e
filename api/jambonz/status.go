package jambonz

import (
	"net"
	"strings"

	"callbox/call"
)

// statusOf is a call's status by call-api.md §3.1. Before the answer the SIP
// status decides, and a dialled child is judged otherwise than a created call. A far
// end that rings and then sends sound is ringing, then early-media, each told once;
// one that sends sound at once is early-media only, and ringing does not follow.
func statusOf(rec call.Record) string {
	switch rec.State {
	case call.Queued, call.Dialing:
		return "trying"
	case call.Ringing:
		if rec.Early {
			return "early-media"
		}
		return rec.State.String()
	case call.Completed, call.InProgress:
		return rec.State.String()
	}
	sip := 0
	if rec.Cause != nil {
		sip = rec.Cause.SIP
	}
	if rec.Direction == call.Inbound {
		if rec.Cause != nil && rec.Cause.Who == call.Script && sip >= 300 {
			return "failed" // the document declined it
		}
		sip = 0 // the box's own answer to the caller
	}
	return outcome(rec.State, sip, rec.Direction == call.OutboundDial)
}

// outcome is the status of a call that ended unanswered.
func outcome(s call.State, sip int, child bool) string {
	switch {
	case sip == 486, sip == 600 && child, sip == 603 && !child:
		return "busy"
	case sip == 487:
		return "no-answer"
	case sip >= 300:
		return "failed"
	case s == call.Canceled:
		return "no-answer"
	}
	return s.String()
}

// sipStatus is the SIP status of a call's INVITE so far.
func sipStatus(rec call.Record) int {
	switch {
	case rec.Answered != nil:
		return 200
	case rec.State == call.Ringing && rec.Early:
		return 183
	case rec.State == call.Ringing:
		return 180
	case !rec.State.Final():
		return 100
	case rec.Cause == nil:
		return 500
	}
	return rec.Cause.SIPStatus()
}

// phrases are the reason phrases of RFC 3261 §21 and of what was added since (IANA,
// Session Initiation Protocol Parameters).
var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 300: "Multiple Choices", 301: "Moved Permanently",
	302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
	403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
	408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
	423: "Interval Too Brief", 428: "Use Identity Header", 429: "Provide Referrer Identity", 430: "Flow Failed",
	433: "Anonymity Disallowed", 436: "Bad Identity Info", 437: "Unsupported Credential", 438: "Invalid Identity Header",
	480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
	484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
	491: "Request Pending", 493: "Undecipherable", 494: "Security Agreement Required", 500: "Server Internal Error", 501: "Not Implemented",
	502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
	555: "Push Notification Service Not Supported", 580: "Precondition Failure", 600: "Busy Everywhere", 603: "Decline",
	604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}

// terminatedBy says who ended a call: the far end, or the box.
func terminatedBy(rec call.Record) string {
	if rec.Cause != nil && (rec.Cause.Who == call.Remote || rec.Cause.Who == call.Network) {
		return "caller"
	}
	return "jambonz"
}

// direction is inbound or outbound.
func direction(rec call.Record) string {
	if rec.Direction == call.Inbound {
		return "inbound"
	}
	return "outbound"
}

// shown is a party as this dialect writes it: users of the box by their name.
func shown(party string) string { return strings.TrimPrefix(party, "client:") }

// userPart is the user of a SIP address, or a number or name as it is.
func userPart(party string) string {
	p := shown(party)
	if scheme, rest, ok := strings.Cut(p, ":"); ok && strings.HasPrefix(strings.ToLower(scheme), "sip") {
		p = rest
	}
	p, _, _ = strings.Cut(p, "@")
	p, _, _ = strings.Cut(p, ";")
	return p
}

// hostOf is s without its port.
func hostOf(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		return h
	}
	return s
}
