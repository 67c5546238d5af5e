package sip

import "net/netip"

// EventType is the kind of a DialogEvent.
type EventType int

const (
	// Ringing is a 180 (or 181, 182, 183 without SDP) to our INVITE.
	Ringing EventType = iota
	// Progress is a provisional response with SDP to our INVITE: early media.
	Progress
	// Answered is the 2xx to our INVITE. SDP is the answer (or the offer, when the
	// INVITE had none: then answer it with AcceptOffer). The ACK of a 2xx that
	// answers our offer has already been sent.
	Answered
	// Offer is a re-INVITE or UPDATE of the far end. SDP is its offer; nil asks us
	// to make one. Call AcceptOffer or RefuseOffer, or it is refused after 64 T1.
	Offer
	// Told is an INFO, MESSAGE or NOTIFY, already answered 200: Message.
	Told
	// Confirmed is the ACK for our 2xx to the first INVITE, or any ACK with SDP.
	Confirmed
	// Reanswered is the outcome of Reoffer: SDP is the answer, or Err says why there
	// is none.
	Reanswered
	// Identified is a re-INVITE or UPDATE whose identity headers show another party:
	// Message.Headers.
	Identified
	// Referred is a REFER of the far end: Referral.
	Referred
	// Moved: the box has another address towards the far end, Local, or is shown by
	// another one; Remote is the far end's. The far end is told by the next change of
	// the session, or by Renew.
	Moved
	// Ended is the last event; the channel is closed after it.
	Ended
)

var eventNames = [...]string{"ringing", "progress", "answered", "offer", "told", "confirmed", "reanswered", "identified", "referred", "moved", "ended"}

// String gives the event's name for logs.
func (t EventType) String() string {
	if t < 0 || int(t) >= len(eventNames) {
		return "unknown"
	}
	return eventNames[t]
}

// By is who ended a dialog.
type By string

const (
	ByRemote  By = "remote"  // the far end: BYE, CANCEL or a final response
	ByLocal   By = "local"   // Hangup or Reject
	ByNetwork By = "network" // no response, no ACK, a lost connection
)

// DialogEvent is something that happened in a dialog.
type DialogEvent struct {
	Type     EventType
	Status   int    // response status; for Ended 200 after BYE, 487 after CANCEL, 408 and 503 by the network
	Text     string // reason phrase, or a sentence when the network ended it
	SDP      []byte
	Reason   Reason    // from the Reason header of the message, zero when it had none
	Warning  string    // text of the Warning header of the message (RFC 3261 §20.43), its code first
	By       By        // Ended
	Message  *Message  // Told, Identified
	Err      error     // Reanswered: ErrGlare, a *StatusError, ErrTimeout, ErrTransport
	Referral *Referral // Referred
	Places   []string  // Ended by a 3xx: the addresses that it names, best first
	// Local is our address towards Remote, for sound, when another server than the
	// first of the target's domain is spoken to now (Progress, Answered), or when it has
	// changed (Moved); else invalid.
	Local, Remote netip.Addr
}

// DialogInfo is what is known of a dialog when it starts. It never changes.
type DialogInfo struct {
	CallID     string
	Inbound    bool
	Peer       string // Peer.Name of an arriving dialog, empty for outgoing ones
	From       string // user part of the From URI, or the whole URI when it has none
	FromName   string // display name
	FromURI    string
	To         string // user part of the To URI, or the whole URI when it has none
	ToURI      string
	RequestURI string
	Remote     netip.AddrPort // where the INVITE came from or went to
	Local      netip.Addr     // our address towards Remote, for SDP
	Transport  string         // "udp", "tcp" or "tls"
	Headers    []Header       // of an arriving INVITE: all that this package does not interpret
	Replaces   *Dialog        // whose place an arriving INVITE is to take (RFC 3891), nil: none
	Offer      []byte         // SDP of an arriving INVITE, nil when it had none
}
