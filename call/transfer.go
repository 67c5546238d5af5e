package call

// Transfer is what the far end of a leg wants: that its partner be connected with
// somebody else in its place (RFC 3515, RFC 5589).
type Transfer struct {
	To   string // number or user to be called, empty where URI has none
	URI  string // the whole address
	By   string // URI of who wants it, empty: not said
	User string // user part of By

	// Attended says that the far end has spoken with the target already, by another
	// leg of the box: Replaces, whose partner is then the target. When there is no
	// such leg, Missing is the SIP status that says why.
	Attended bool
	Replaces Leg
	Missing  int

	Headers   []Header // Refer-To, Referred-By and X- headers of the request
	UserAgent string
	// Trusted says that the line leaves transfers to its far ends, also where no
	// application is asked.
	Trusted bool
	// Reply is never nil. Whoever is told of the transfer accepts or refuses it.
	Reply TransferReply
}

// TransferReply tells a far end what becomes of the transfer that it wants. The
// methods may be called from any goroutine, also after the leg has ended; errors
// say that the far end has given up or was answered before.
type TransferReply interface {
	// Accept says that we try.
	Accept() error
	// Refuse says that we do not, with a SIP status 300…699.
	Refuse(status int) error
	// Progress tells, after Accept, the SIP status of the call to the target; text
	// empty is the usual phrase. A final one, 200…699, is the last.
	Progress(status int, text string)
	// Silent reports whether the far end does not want to be told of progress.
	Silent() bool
}
