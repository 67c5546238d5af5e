//go:build bench

package bench

import (
	"fmt"
	"net/netip"
	"sync"
)

// callee answers every call at once.
type callee struct {
	phone *phone
	port  int // of its sound

	mu    sync.Mutex // guards what follows
	ptime int        // that it asks for; 0: says nothing
	style style      // of its sound
	sound map[string]netip.AddrPort
	said  map[string][]byte // the 200 of each call, for repeated INVITEs
	acked map[string]bool   // calls whose answer has arrived
	ended map[string]bool   // calls that the gateway has ended
	mute  bool              // answer on hold
}

func newCallee(soundPort int) (*callee, error) {
	c := &callee{port: soundPort}
	c.reset(0)
	p, err := newPhone(eastHost, c.handle)
	c.phone = p
	return c, err
}

// reset forgets the calls and chooses the packet time of the next ones.
func (c *callee) reset(ptime int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ptime, c.sound, c.said = ptime, map[string]netip.AddrPort{}, map[string][]byte{}
	c.acked, c.ended, c.mute = map[string]bool{}, map[string]bool{}, false
}

func (c *callee) handle(m message, from netip.AddrPort, _ int64) {
	if m.method == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := m.header("Call-ID")
	if m.method == "ACK" {
		c.acked[id] = true
		return
	}
	if m.method != "INVITE" {
		if m.method == "BYE" {
			c.ended[id] = true
		}
		c.phone.send(from, respond(m, "", "", ""))
		return
	}
	if c.said[id] == nil {
		sdp := c.style.describe(eastHost, c.port, c.ptime)
		if c.mute {
			sdp += "a=inactive\r\n"
		}
		c.said[id] = respond(m, "callee", "sip:callee@"+c.phone.addr.String(), sdp)
		if a, err := soundOf(m.body); err == nil {
			c.sound[userOf(m.header("From"))] = a
		}
	}
	c.phone.send(from, c.said[id])
}

// dress chooses how the callee describes the sound of the next calls.
func (c *callee) dress(s style) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.style = s
}

// hold makes the callee answer the next calls on hold: nothing is said.
func (c *callee) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = true
}

// count is the number of calls that are answered, and of those the gateway has
// ended, since reset.
func (c *callee) count() (answered, ended int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acked), len(c.ended)
}

// soundTo is where the call of caller n wants its sound.
func (c *callee) soundTo(n int) (netip.AddrPort, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.sound[fmt.Sprintf("+1415556%04d", n)]
	if !ok {
		return a, fmt.Errorf("the call of caller %d did not reach the callee", n)
	}
	return a, nil
}
