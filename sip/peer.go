package sip

import "net/netip"

// Peer is somebody the stack answers: a trunk, known by its addresses, or a
// user, known by name and password. A request that matches no peer gets no
// answer on UDP and a closed connection on TCP and TLS.
type Peer struct {
	// Name identifies the peer in logs and DialogInfo.Peer; unique in the stack.
	Name string
	// Addrs are the addresses a trunk sends from. Requests from there belong to
	// this peer without a challenge, unless Username names another peer.
	Addrs []netip.Prefix
	// Port narrows Addrs to one source port; 0: any. Two trunks on one host are
	// told apart by it. Connections over TCP and TLS come from any port.
	Port uint16
	// Username and Password are the digest credentials of a peer that is not
	// known by address. Requests with this user in From (or To, for REGISTER)
	// are challenged.
	Username, Password string
	// Register accepts REGISTER from Username: the peer is a user with phones.
	Register bool
	// Invite receives each arriving INVITE as a dialog, on its own goroutine. It
	// owns the dialog from then on. nil refuses calls with 403.
	Invite func(*Dialog)
	// Bindings is told the user's registrations whenever they changed, in order,
	// one call at a time.
	Bindings func([]Binding)
}
