//go:build bench

package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Repetition of requests that got no answer (RFC 3261 §17.1.1.2, without the
// doubling: nothing is lost on loopback unless a program is overloaded).
const (
	repeatAfter = 500 * time.Millisecond
	maxRepeats  = 8
	patience    = 10 * time.Second // for an answer
)

// outCall is a call of the caller.
type outCall struct {
	n      int // in its batch; the last four digits of the caller's number
	id     string
	number string
	stay   bool // until hangup, instead of BYE at once
	ended  func(*outCall)

	invited  int64 // ns since 1970
	answered int64
	status   int    // final status of the INVITE; 408: none came
	seq      int    // of the INVITE; 2: the one that answers a challenge
	proof    string // header that answers the challenge
	to       string // To with its tag
	target   string // URI of requests within the dialog
	sound    netip.AddrPort

	pending  []byte // the request that waits for an answer
	sentAt   time.Time
	repeated int
}

// caller places calls and ends them. Its methods may be called from any
// goroutine.
type caller struct {
	phone *phone
	port  int // of the sound that it offers
	style atomic.Pointer[style]
	user  *member // it calls as; nil: as one that is known by its address
	stop  chan struct{}
	done  chan struct{}
	told  chan message // responses to REGISTER

	mu      sync.Mutex // guards what follows and the calls
	subject netip.AddrPort
	calls   map[string]*outCall
	placed  int
	repeats int
	broken  error // the first answer that cannot be used
}

func newCaller(host string, user *member, soundPort int) (*caller, error) {
	c := &caller{user: user, port: soundPort, calls: map[string]*outCall{}, stop: make(chan struct{}), done: make(chan struct{}), told: make(chan message, 16)}
	p, err := newPhone(host, c.handle)
	if err != nil {
		return nil, err
	}
	c.phone = p
	go c.repeat() // ended by close
	return c, nil
}

func (c *caller) close() {
	close(c.stop)
	<-c.done
	c.phone.close()
}

// enrol registers the caller's user, so that its calls are those of a phone.
func (c *caller) enrol(box netip.AddrPort) error {
	uri, proof := "sip:"+box.String(), ""
	for seq, want := range []int{401, 200} {
		c.phone.send(box, registration(uri, *c.user, c.phone.addr, c.phone.addr.String(), "enrol", seq+1, proof))
		select {
		case m := <-c.told:
			if m.status != want {
				return fmt.Errorf("REGISTER got %d, want %d", m.status, want)
			}
			proof = c.user.proof(m, "REGISTER", uri) + "\r\n"
		case <-time.After(patience):
			return errors.New("no answer to REGISTER")
		}
	}
	return nil
}

// aim chooses who is called and forgets older calls.
func (c *caller) aim(subject netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subject, c.calls, c.repeats, c.broken = subject, map[string]*outCall{}, 0, nil
}

func (c *caller) request(o *outCall, method string, seq int, body string) []byte {
	to, target := o.to, o.target
	if to == "" {
		target = "sip:" + o.number + "@" + c.subject.String()
		to = "<" + target + ">"
	}
	from := fmt.Sprintf("+1415556%04d", o.n)
	if c.user != nil {
		from = c.user.name
	}
	kind := method // an ACK of a refusal belongs to its INVITE (RFC 3261 §17.1.1.3)
	if method == "ACK" && o.status >= 300 {
		kind = "INVITE"
	}
	text := fmt.Appendf(nil, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s-%s-%d;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s@%s>;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:caller@%s>\r\n",
		method, target, c.phone.addr, o.id, kind, seq, from, c.phone.addr.Addr(), o.id, to, o.id, seq, method, c.phone.addr)
	if method == "INVITE" && o.proof != "" {
		text = fmt.Appendf(text, "%s\r\n", o.proof)
	}
	if body != "" {
		text = fmt.Appendf(text, "Content-Type: application/sdp\r\n")
	}
	return fmt.Appendf(text, "Content-Length: %d\r\n\r\n%s", len(body), body)
}

// dress chooses how the caller describes its sound.
func (c *caller) dress(s style) { c.style.Store(&s) }

// offer is its session description.
func (c *caller) offer() string {
	s := c.style.Load()
	if s == nil {
		s = &style{}
	}
	return s.describe(c.phone.addr.Addr().String(), c.port, 0)
}

// invite places one call.
func (c *caller) invite(o *outCall) {
	body := c.offer()
	c.mu.Lock()
	c.placed++
	o.seq = 1
	o.id = fmt.Sprintf("bench%d", c.placed)
	c.calls[o.id] = o
	o.pending = c.request(o, "INVITE", o.seq, body)
	text, to := o.pending, c.subject
	o.sentAt = time.Now()
	o.invited = o.sentAt.UnixNano()
	c.mu.Unlock()
	c.phone.send(to, text)
}

// handle takes a message of the subject.
func (c *caller) handle(m message, from netip.AddrPort, at int64) {
	if m.method != "" {
		c.asked(m, from)
		return
	}
	if m.cseq() == "REGISTER" {
		select {
		case c.told <- m:
		default:
		}
		return
	}
	c.mu.Lock()
	o := c.calls[m.header("Call-ID")]
	var ended func(*outCall)
	switch {
	case o == nil:
	case m.status < 200:
		o.pending = nil // it has arrived
	case m.cseq() == "INVITE":
		ended = c.final(o, m, at)
	case m.cseq() == "BYE":
		ended = c.end(o)
	}
	c.mu.Unlock()
	if ended != nil {
		ended(o)
	}
}

// final takes a final response to INVITE. It is called with mu held, as is end.
func (c *caller) final(o *outCall, m message, at int64) func(*outCall) {
	first := o.status == 0
	if c.user != nil && o.seq == 1 && (m.status == 401 || m.status == 407) {
		c.prove(o, m)
		return nil
	}
	o.status, o.to = m.status, m.header("To")
	if first {
		o.pending, o.answered = nil, at
	}
	if m.status >= 300 {
		c.phone.send(c.subject, c.request(o, "ACK", o.seq, ""))
		return c.end(o)
	}
	if first {
		o.target = uriOf(m.header("Contact"))
		var err error
		if o.sound, err = soundOf(m.body); err != nil && c.broken == nil {
			c.broken = err
		}
	}
	c.phone.send(c.subject, c.request(o, "ACK", o.seq, ""))
	if first && !o.stay {
		c.bye(o)
	}
	return nil
}

// prove answers the challenge of an INVITE. It is called with mu held.
func (c *caller) prove(o *outCall, m message) {
	to, status := o.to, o.status
	o.to, o.status = m.header("To"), m.status
	c.phone.send(c.subject, c.request(o, "ACK", o.seq, ""))
	o.to, o.status, o.seq = to, status, 2
	o.proof = c.user.proof(m, "INVITE", "sip:"+o.number+"@"+c.subject.String())
	o.pending, o.sentAt = c.request(o, "INVITE", o.seq, c.offer()), time.Now()
	c.phone.send(c.subject, o.pending)
}

// bye is called with mu held.
func (c *caller) bye(o *outCall) {
	o.pending, o.sentAt = c.request(o, "BYE", o.seq+1, ""), time.Now()
	c.phone.send(c.subject, o.pending)
}

func (c *caller) end(o *outCall) func(*outCall) {
	delete(c.calls, o.id)
	o.pending = nil
	return o.ended
}

// asked answers a request of the subject: it may end a call.
func (c *caller) asked(m message, from netip.AddrPort) {
	if m.method == "ACK" {
		return
	}
	c.phone.send(from, respond(m, "", "", ""))
	if m.method != "BYE" {
		return
	}
	c.mu.Lock()
	o := c.calls[m.header("Call-ID")]
	var ended func(*outCall)
	if o != nil {
		ended = c.end(o)
	}
	c.mu.Unlock()
	if ended != nil {
		ended(o)
	}
}

// respond is a 200.
func respond(m message, tag, contact, body string) []byte {
	head := m.copied("Via", "Record-Route", "From")
	to := m.header("To")
	if tag != "" {
		to += ";tag=" + tag
	}
	text := fmt.Appendf(nil, "SIP/2.0 200 OK\r\n%sTo: %s\r\n%s", head, to, m.copied("Call-ID", "CSeq"))
	if body != "" {
		text = fmt.Appendf(text, "Contact: <%s>\r\nContent-Type: application/sdp\r\n", contact)
	}
	return fmt.Appendf(text, "Content-Length: %d\r\n\r\n%s", len(body), body)
}

// repeat sends unanswered requests again until close.
func (c *caller) repeat() {
	defer close(c.done)
	tick := time.NewTicker(repeatAfter / 5)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case now := <-tick.C:
			c.repeatDue(now)
		}
	}
}

func (c *caller) repeatDue(now time.Time) {
	c.mu.Lock()
	var lost []*outCall
	for _, o := range c.calls {
		silent := o.status == 0 && now.UnixNano()-o.invited > int64(patience)
		switch {
		case !silent && (o.pending == nil || now.Sub(o.sentAt) < repeatAfter):
		case silent || o.repeated == maxRepeats:
			o.status = 408
			c.end(o)
			lost = append(lost, o)
		default:
			o.repeated++
			c.repeats++
			o.sentAt = now
			c.phone.send(c.subject, o.pending)
		}
	}
	c.mu.Unlock()
	for _, o := range lost {
		if o.ended != nil {
			o.ended(o)
		}
	}
}

// batch is a number of calls that are ended as soon as they are up.
type batch struct {
	number   string
	calls    int
	every    time.Duration // between two calls; 0: as fast as inFlight allows
	inFlight int           // at most
}

// place places a batch, waits for its end, and gives the times from INVITE to
// 200 and how long it all took. A call that fails or is lost is an error.
func (c *caller) place(b batch) (times []time.Duration, took time.Duration, err error) {
	ended := make(chan *outCall, b.inFlight)
	random := rand.New(rand.NewPCG(1, uint64(b.calls))) // the same in every round
	began := time.Now()
	up, failed := 0, map[int]int{}
	take := func() {
		o := <-ended
		up--
		if o.status != 200 {
			failed[o.status]++
			return
		}
		times = append(times, time.Duration(o.answered-o.invited))
	}
	for i := range b.calls {
		for up == b.inFlight || up > 0 && len(ended) > 0 {
			take()
		}
		if b.every > 0 {
			// Not in step with the gateway's 20 ms.
			at := time.Duration(i)*b.every + time.Duration(random.Float64()*float64(b.every))
			if d := time.Until(began.Add(at)); d > 0 {
				wait(d)
			}
		}
		c.invite(&outCall{n: i % 10000, number: b.number, ended: func(o *outCall) { ended <- o }})
		up++
	}
	for up > 0 {
		take()
	}
	took = time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(failed) > 0 {
		return nil, 0, fmt.Errorf("of %d calls these failed, by status: %v", b.calls, failed)
	}
	return times, took, c.broken
}

// connect places n calls that stay up, 100 a second, and waits until all are
// answered.
func (c *caller) connect(number string, n int) ([]*outCall, error) {
	calls := make([]*outCall, n)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range calls {
		calls[i] = &outCall{n: i, number: number, stay: true}
		c.invite(calls[i])
		<-tick.C
	}
	err := until(10*time.Second, fmt.Sprintf("%d calls are up", n), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, o := range calls {
			if o.status == 0 {
				return false
			}
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range calls {
		if o.status != 200 && err == nil {
			err = fmt.Errorf("call %d got status %d", o.n, o.status)
		}
	}
	return calls, errors.Join(err, c.broken)
}

// hangup ends calls and waits for their end.
func (c *caller) hangup(calls []*outCall) error {
	c.mu.Lock()
	for _, o := range calls {
		if c.calls[o.id] != nil {
			c.bye(o)
		}
	}
	c.mu.Unlock()
	return until(10*time.Second, "the calls have ended", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.calls) == 0
	})
}
