package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// Peer is somebody the stack answers: a trunk, known by its addresses, or a
// user, known by name and password. A request that matches no peer gets no
// answer on UDP and a closed connection on TCP and TLS.
//
// A request belongs to the user it has credentials of; else to the user named
// in From if it comes from where that user is registered; else to the exchange
// that is registered there; else to the first trunk, by name, with its source address; else,
// when it is a REGISTER, an INVITE or a SUBSCRIBE, to the user named in To or From. Whoever has
// a Password is always challenged, nobody else ever. While there are users, one
// that does not exist is challenged like one that does, so that nobody learns who
// exists; an INVITE or SUBSCRIBE over UDP from where its user is not registered is challenged
// when it is repeated, as every caller does and no scanner.
type Peer struct {
	// Name identifies the peer in logs and DialogInfo.Peer; unique in the stack.
	Name string
	// Addrs are the addresses a trunk sends from.
	Addrs []netip.Prefix
	// Port narrows Addrs to one source port of UDP; 0: any. Two trunks on one host
	// are told apart by it.
	Port uint16
	// RequestUsers tells trunks with the same addresses apart, as two accounts at
	// one provider: the one that lists the user part of the request URI gets the
	// request, else the first without a list.
	RequestUsers []string
	// Username and Password are the digest credentials that the peer must show.
	Username, Password string
	// Register accepts REGISTER from Username: the peer is a user with phones.
	Register bool
	// Exchange says that the peer is a telephone system, which writes its callers
	// into From: it is known by where it is registered.
	Exchange bool
	// Terms are how its calls are kept.
	Terms Terms
	// Invite receives each arriving INVITE as a dialog, on its own goroutine. It
	// owns the dialog from then on. nil refuses calls with 403.
	Invite func(*Dialog)
	// Bindings is told the user's registrations whenever they changed, in order,
	// one call at a time, on its own goroutine. It must not block for long.
	Bindings func([]Binding)
}

// peer is a Peer in the stack.
type peer struct {
	Peer
	reg   *bindings
	ghost bool // a user that does not exist
}

// AddPeer makes a peer known. remove forgets it, with its bindings; its dialogs
// go on. The error says which name or user is taken already.
func (s *Stack) AddPeer(p Peer) (remove func(), err error) {
	switch {
	case p.Name == "":
		return nil, errors.New("sip: a peer needs a name")
	case len(p.Addrs) == 0 && p.Username == "":
		return nil, fmt.Errorf("sip: peer %s has neither an address nor a user name", p.Name)
	case p.Username != "" && p.Password == "":
		return nil, fmt.Errorf("sip: user %s has no password", p.Username)
	case p.Register && p.Username == "":
		return nil, fmt.Errorf("sip: peer %s registers but has no user name", p.Name)
	}
	np := &peer{Peer: p}
	np.reg = newBindings(s, np)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	for _, o := range s.peers {
		if o.Name == p.Name {
			return nil, fmt.Errorf("sip: there is a peer named %s already", p.Name)
		}
	}
	if p.Username != "" {
		if o := s.users[p.Username]; o != nil {
			return nil, fmt.Errorf("sip: user %s belongs to peer %s already", p.Username, o.Name)
		}
		s.users[p.Username] = np
	}
	// In the order of their names: which of two on one host is the first must not hang
	// on whose name was looked up sooner.
	at, _ := slices.BinarySearchFunc(s.peers, np, func(a, b *peer) int { return strings.Compare(a.Name, b.Name) })
	s.peers = slices.Insert(slices.Clone(s.peers), at, np)
	return func() { s.removePeer(np) }, nil
}

func (s *Stack) removePeer(p *peer) {
	s.mu.Lock()
	s.peers = slices.DeleteFunc(slices.Clone(s.peers), func(o *peer) bool { return o == p })
	if s.users[p.Username] == p {
		delete(s.users, p.Username)
	}
	s.mu.Unlock()
	if p.Register {
		s.unsubscribe(p.Username)
	}
	p.reg.close()
}

func (s *Stack) closePeers() {
	for _, p := range s.peersNow() {
		p.reg.close()
	}
}

// at reports whether flow comes from the peer's addresses.
func (p *peer) at(flow wire.Flow) bool {
	if p.Port != 0 && flow.Transport == wire.UDP && flow.Remote.Port() != p.Port {
		return false
	}
	return slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool { return a.Contains(flow.Remote.Addr().WithZone("")) })
}

// identify finds the peer of a request and whether it has to prove itself. A
// request that phones begin with, or one with credentials, finds a peer whoever it
// claims to be: a user that does not exist is challenged as one that does.
func (s *Stack) identify(req *gosip.Request, flow wire.Flow) (p *peer, challenge bool) {
	user := userOf(req.From().Address)
	if req.Method == gosip.REGISTER {
		user = userOf(req.To().Address)
	}
	c := s.auth.credentials(req)
	if c != nil {
		if _, ours := s.auth.made(c.Nonce); !ours && req.Method != gosip.REGISTER && req.Method != gosip.INVITE {
			c = nil // made up: this is no answer to a challenge
		}
	}
	s.mu.Lock()
	byName, phones := s.users[user], len(s.users) > 0
	var byClaim *peer
	if c != nil {
		byClaim = s.users[c.Username]
	}
	s.mu.Unlock()
	if byClaim != nil {
		return byClaim, true
	}
	if byName != nil && (c == nil && req.Method == gosip.REGISTER || byName.reg.has(flow)) {
		return byName, true
	}
	if req.Method != gosip.REGISTER {
		for _, p := range s.peersNow() {
			if p.Exchange && p.reg.has(flow) {
				return p, true
			}
		}
		if p := s.trunk(req, flow); p != nil {
			return p, p.Password != ""
		}
	}
	switch {
	case !phones:
		return nil, false
	case c != nil:
		return s.ghost(c.Username), true
	case req.Method == gosip.REGISTER:
		return s.ghost(user), true
	case req.Method != gosip.INVITE && req.Method != gosip.SUBSCRIBE || !s.earnest(req, flow):
		return nil, false
	case byName != nil:
		return byName, true
	}
	return s.ghost(user), true
}

// ghost stands for a user that does not exist. It has a password that nobody
// knows, so that checking it takes as long.
func (s *Stack) ghost(user string) *peer {
	return &peer{Peer: Peer{Username: user, Password: s.auth.decoy}, reg: s.nobody, ghost: true}
}

// earnest reports whether an INVITE or SUBSCRIBE from nowhere is worth a challenge: it came
// by a connection, or comes again.
func (s *Stack) earnest(req *gosip.Request, flow wire.Flow) bool {
	return flow.Transport != wire.UDP ||
		s.guard.repeated(flow.Remote.String()+" "+req.CallID().Value()+" "+req.CSeq().Value(), time.Now())
}

// trunk is the trunk that a request from flow belongs to.
func (s *Stack) trunk(req *gosip.Request, flow wire.Flow) *peer {
	var open, first *peer
	for _, p := range s.peersNow() {
		if !p.at(flow) {
			continue
		}
		if slices.Contains(p.RequestUsers, userOf(req.Recipient)) {
			return p
		}
		if open == nil && len(p.RequestUsers) == 0 {
			open = p
		}
		if first == nil {
			first = p
		}
	}
	if open != nil {
		return open
	}
	return first
}
