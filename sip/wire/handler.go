package wire

import "github.com/emiago/sipgo/sip"

// Handler is the user of the layer. Its methods are called on the reader of the
// socket or connection and must not block.
type Handler interface {
	// Request takes a checked request. tx is nil for an ACK that belongs to no
	// transaction. Without a response or Drop, a transaction other than INVITE is
	// forgotten after 64 T1.
	Request(req *sip.Request, flow Flow, tx *ServerTx)
	// Known reports whether the sender of a malformed request deserves a 400.
	Known(flow Flow) bool
	// Admit reports whether a message from there is looked at; it is asked before
	// the message is parsed. One that is not costs its sender the connection.
	Admit(flow Flow) bool
	// Nonsense is told of each malformed message.
	Nonsense(flow Flow)
	// InUse reports whether anybody needs a connection that has long been silent.
	InUse(flow Flow) bool
	// Lost is told of each connection that has ended, on the timer goroutine.
	Lost(flow Flow)
}
