package signalwire

import (
	"strconv"

	"callbox/api/laml"
	"callbox/call"
)

// statuses doubles the answer: CallStatus is "answered" in a first message and
// "in-progress" in a second (§3.3). The second has a SequenceNumber of its own,
// so that receivers that go by it drop neither.
func statuses(ev call.Event) []laml.Status {
	switch ev.Type {
	case call.EventAnswered:
		return []laml.Status{{Name: "answered", Seq: ev.Seq}, {Name: "in-progress", Seq: ev.Seq + 1}}
	case call.EventEnded:
		if ev.Record.Answered != nil {
			ev.Seq++
		}
	}
	return laml.Statuses(ev)
}

// final adds how a call ended (§3.3).
func final(f *laml.Form, ev call.Event) {
	rec := *ev.Record
	f.Add("CallDuration", laml.WholeSeconds(rec.Duration(ev.At)))
	f.Some("AnsweredBy", rec.AnsweredBy)
	by, way := hangup(rec)
	f.Add("HangupBy", by)
	f.Add("HangupDirection", way)
	if code := laml.SIPResult(rec); code != "" {
		f.Add("SipResultCode", code)
		f.Add("SipInviteResultPhrase", phrase(code, rec))
	}
	audio(f, &rec)
}

// hangup is the address of who hung up, and "inbound" when that came from the
// far end, "outbound" when it went there.
func hangup(rec call.Record) (by, way string) {
	far, near := rec.To, rec.From
	if rec.Direction == call.Inbound {
		far, near = near, far
	}
	if rec.Cause != nil && (rec.Cause.Who == call.Remote || rec.Cause.Who == call.Network) {
		return far, "inbound"
	}
	return near, "outbound"
}

// phrase is the text that belongs to the final status of an INVITE (RFC 3261 §21).
func phrase(code string, rec call.Record) string {
	if text, ok := phrases[code]; ok {
		return text
	}
	if rec.Cause != nil {
		return rec.Cause.Error()
	}
	return code
}

var phrases = map[string]string{
	"200": "OK", "400": "Bad Request", "401": "Unauthorized", "403": "Forbidden", "404": "Not Found",
	"405": "Method Not Allowed", "406": "Not Acceptable", "407": "Proxy Authentication Required",
	"408": "Request Timeout", "410": "Gone", "415": "Unsupported Media Type", "480": "Temporarily Unavailable",
	"481": "Call/Transaction Does Not Exist", "482": "Loop Detected", "483": "Too Many Hops",
	"484": "Address Incomplete", "485": "Ambiguous", "486": "Busy Here", "487": "Request Terminated",
	"488": "Not Acceptable Here", "500": "Server Internal Error", "501": "Not Implemented", "502": "Bad Gateway",
	"503": "Service Unavailable", "504": "Server Time-out", "600": "Busy Everywhere", "603": "Decline",
	"604": "Does Not Exist Anywhere", "606": "Not Acceptable",
}

// audio adds the counters of the sound that the box keeps.
func audio(f *laml.Form, rec *call.Record) {
	m := rec.Media
	if m.PacketsIn == 0 && m.PacketsOut == 0 {
		return
	}
	count := func(name string, n uint64) { f.Add(name, strconv.FormatUint(n, 10)) }
	count("AudioInMediaPacketCount", m.PacketsIn)
	count("AudioInSkipPacketCount", m.Lost)
	count("AudioInFlushPacketCount", m.Late+m.Dropped)
	count("AudioInJitterMaxVariance", uint64(m.Jitter.Milliseconds()))
	count("AudioInLargestJbSize", uint64(m.MaxBufferLength.Milliseconds()))
	count("AudioOutMediaPacketCount", m.PacketsOut)
	if rec.Quality != nil {
		f.Add("AudioInMos", strconv.FormatFloat(rec.Quality.MOS, 'f', 2, 64))
	}
}
