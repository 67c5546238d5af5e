package cell

import (
	"encoding/binary"
	"sync"
	"time"

	"callbox/hal"
)

var _ hal.PCM = (*usbCard)(nil)

// usbCard is a modem's own USB sound card, which has sound while the modem was told
// to use it. One goroutine may read while another writes.
type usbCard struct {
	m    *Modem
	in   *wire
	rest []byte // of a sample that is not complete; the reader's
	next time.Time
	done chan struct{}
	once sync.Once
}

// OpenCard opens the sound card of the modem at a place.
func (r *Rack) OpenCard(place string) (hal.PCM, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m, s := range r.slots {
		if len(s.ttys) > 0 && s.ttys[0].Place == place {
			c := &usbCard{m: m, in: newWire(wireRoom), done: make(chan struct{})}
			m.sound.plugCard(outletOf(c.in))
			return c, nil
		}
	}
	return nil, hal.ErrGone
}

// Read implements [hal.PCM].
func (c *usbCard) Read(p []int16) (int, error) {
	until := time.Now().Add(200 * time.Millisecond)
	buf := make([]byte, 2*len(p))
	n := copy(buf, c.rest)
	c.rest = nil
	for n < len(buf) {
		k, err := c.in.get(buf[n:], until)
		if err != nil {
			return 0, err
		}
		if n += k; k == 0 {
			break // no call
		}
	}
	for i := range p {
		p[i] = int16(binary.LittleEndian.Uint16(buf[2*i:]))
	}
	return len(p), nil
}

// Write implements [hal.PCM].
func (c *usbCard) Write(p []int16) (int, error) {
	length := time.Duration(len(p)) * time.Second / hal.SampleRate
	now := time.Now()
	if c.next = c.next.Add(length); now.Sub(c.next) > 100*time.Millisecond {
		c.next = now
	}
	if wait := c.next.Sub(now); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.done:
			return 0, hal.ErrClosed
		}
	}
	b := make([]byte, 0, 2*len(p))
	for _, v := range p {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	c.m.sound.uplink(b)
	return len(p), nil
}

// Stats implements [hal.PCM].
func (c *usbCard) Stats() hal.PCMStats { return hal.PCMStats{} }

// Close implements [hal.PCM].
func (c *usbCard) Close() error {
	c.once.Do(func() { close(c.done) })
	c.in.end(hal.ErrClosed)
	return nil
}
