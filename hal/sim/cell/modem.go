package cell

import (
	"fmt"
	"sync"
	"time"

	"callbox/hal/sim"
)

// Config describes a modem.
type Config struct {
	Family   Family // EC25, SIM7600, E1550
	IMEI     string
	Firmware string // empty: one of the family that is good
	Number   string // of its SIM: "+15550100"
	Card     Card
	// Caller is the number of the subscriber at the other end.
	Caller string
	// Boot is how long it takes from the plugging in to its place on the bus; 0: 8 s.
	Boot time.Duration
	// Search is how long it looks for the network; 0: 2 s.
	Search time.Duration
}

var (
	_ sim.Faulty = (*Modem)(nil)
	_ sim.Person = (*Modem)(nil)
	_ end        = (*Modem)(nil)
)

// outlet is the way from a modem to the box's end of a line. It never waits and
// says how much it took.
type outlet func(b []byte) int

// socket is where a modem is plugged in.
type socket interface {
	// restart takes the modem off the bus and puts it back, by other names, after the
	// time that it takes to boot.
	restart(m *Modem)
	// Unplug takes it off the bus, plugLater puts it back.
	Unplug(m *Modem)
	plugLater(m *Modem)
}

// Modem is a simulated modem. Its methods may be called from any goroutine.
type Modem struct {
	cfg    Config
	traits *traits
	net    *Network
	sub    *Subscriber
	sound  *sound
	inbox  mailbox
	done   chan struct{} // the goroutine has ended

	mu     sync.Mutex // guards what follows
	faults Faults
	socket socket

	// Owned by the goroutine.
	ims      int    // of +QCFG, kept without power
	out      outlet // to the box's end of the AT line; nil: unplugged
	line     []byte // of a command that is not complete
	busy     bool   // a command is being answered
	waiting  [][]byte
	epoch    int // counts resets: what was planned before one is forgotten
	card     *card
	radio    radio
	settings settings
	calls    []*modemCall
	where    string  // its place on the bus
	pcmOn    bool    // calls have sound without being asked
	cause    Release // of the last call that ended
	memory   memory
	prompt   bool   // a message is being written
	paper    []byte // what of it has come
	length   int    // what was announced
	menu     bool   // the network waits for an answer by USSD
	random   uint64
}

// settings are what commands set, lost with the power.
type settings struct {
	echo             bool
	errors           int // +CMEE
	reg, greg, ereg  int
	clip, ring, wait bool // +CLIP, +CRC, +CCWA
	ccinfo, dsci     bool
	clcc, ddet, tone bool
	curc             bool
	indicate         bool // +CNMI: messages in the memory, reports
	reports          bool
}

// radio is the state of the radio part.
type radio struct {
	function int // +CFUN
	ims      int // of +QCFG when it started
	stat     int // +CREG
}

// NewModem makes a modem that is not plugged in, in network n. Close ends it.
func NewModem(n *Network, c Config) *Modem {
	if c.Boot == 0 {
		c.Boot = 8 * time.Second
	}
	if c.Search == 0 {
		c.Search = 2 * time.Second
	}
	m := &Modem{cfg: c, traits: c.Family.traits(), net: n, card: newCard(c.Card), done: make(chan struct{}), random: 0x9E3779B97F4A7C15}
	if m.cfg.Firmware == "" {
		m.cfg.Firmware = m.traits.firmware
	}
	m.inbox.wake = make(chan struct{}, 1)
	m.sub = newSubscriber(c.Caller, m)
	m.sound = newSound(m)
	n.join(m)
	go m.run()
	return m
}

// Close ends the modem; it is unplugged before.
func (m *Modem) Close() error {
	m.sound.close()
	m.inbox.close()
	<-m.done
	return nil
}

// Subscriber is who is called by the modem, and calls it.
func (m *Modem) Subscriber() *Subscriber { return m.sub }

// TriesLeft is how often a PIN may still be tried.
func (m *Modem) TriesLeft() int {
	left := make(chan int, 1)
	m.post(func() { left <- m.card.pin })
	return <-left
}

// Ring has the modem's subscriber call another modem without a line in between. The
// reason comes when the call has ended.
func (m *Modem) Ring(other *Modem) <-chan Release {
	why := make(chan Release, 1)
	c := &caller{why: why}
	other.offered(&talk{a: c, b: other}, m.cfg.Number)
	return why
}

// caller is somebody who calls and does nothing else.
type caller struct{ why chan Release }

var _ end = (*caller)(nil)

func (c *caller) offered(*talk, string)         {}
func (c *caller) digit(*talk, byte)             {}
func (c *caller) alerting(*talk)                {}
func (c *caller) answered(*talk)                {}
func (c *caller) released(_ *talk, why Release) { c.why <- why }
func (c *caller) voice(_ *talk, p []int16)      { clear(p) }

// run is the modem's goroutine.
func (m *Modem) run() {
	defer close(m.done)
	for {
		f, ok := m.inbox.next()
		if !ok {
			return
		}
		f()
	}
}

// post has f run on the modem's goroutine.
func (m *Modem) post(f func()) { m.inbox.post(f, 0) }

// later has f run after d, unless the modem is reset or unplugged before.
func (m *Modem) later(d time.Duration, f func()) {
	epoch := m.epoch
	m.inbox.post(func() {
		if m.epoch == epoch {
			f()
		}
	}, d)
}

// attach gives the modem power and lines.
func (m *Modem) attach(s socket, place string, at, pcm outlet) {
	m.post(func() {
		m.mu.Lock()
		m.socket = s
		m.mu.Unlock()
		m.out, m.where = at, place
		m.sound.plug(pcm)
		m.boot()
	})
}

// detach takes them away; a call that there is ends.
func (m *Modem) detach() {
	m.post(func() {
		m.out, m.pcmOn = nil, false
		m.epoch++
		m.dropCalls(NoRadio)
		m.sound.plug(nil)
	})
}

// boot is what happens when power comes.
func (m *Modem) boot() {
	m.epoch++
	m.dropCalls(NoRadio)
	m.line, m.busy, m.waiting = nil, false, nil
	m.prompt, m.paper, m.menu = false, nil, false
	m.settings = settings{echo: true, errors: 1}
	m.card.reset()
	m.radio = radio{function: 1, ims: m.ims}
	m.later(500*time.Millisecond, func() {
		m.urc("RDY")
		m.cardReady()
	})
}

// cardReady tells of the SIM, and looks for the network if it can.
func (m *Modem) cardReady() {
	f := m.faultsNow()
	if f.NoSIM {
		m.urc("+CPIN: NOT INSERTED")
		m.setStat(0)
		return
	}
	m.urc("+CPIN: " + m.card.state())
	m.search()
}

// search looks for the network.
func (m *Modem) search() {
	if m.radio.function != 1 || m.card.state() != "READY" || m.faultsNow().NoSIM {
		m.setStat(0)
		return
	}
	m.setStat(2)
	m.later(m.cfg.Search, func() {
		if m.radio.function != 1 {
			return
		}
		m.setStat(m.faultsNow().stat())
	})
}

// setStat changes the registration and tells of it.
func (m *Modem) setStat(stat int) {
	if m.radio.stat == stat {
		return
	}
	m.radio.stat = stat
	for _, r := range []struct {
		name string
		mode int
	}{{"+CREG", m.settings.reg}, {"+CGREG", m.settings.greg}, {"+CEREG", m.settings.ereg}} {
		if r.mode > 0 {
			m.urc(fmt.Sprintf("%s: %s", r.name, m.place(r.mode)))
		}
	}
	m.fill()
}

// place is the registration as +CREG tells it.
func (m *Modem) place(mode int) string {
	if mode < 2 || m.radio.stat != 1 && m.radio.stat != 5 {
		return fmt.Sprint(m.radio.stat)
	}
	return fmt.Sprintf(`%d,"1A2B","01C3D4E5",%d`, m.radio.stat, 7)
}

// command takes bytes of the AT line from the box.
func (m *Modem) command(b []byte) {
	m.post(func() {
		b = m.corrupt(b)
		if m.out == nil {
			return
		}
		m.waiting = append(m.waiting, b)
		m.work()
	})
}

// work goes through what has come while no command is being answered.
func (m *Modem) work() {
	for !m.busy && len(m.waiting) > 0 {
		b := m.waiting[0]
		i := 0
		for i < len(b) && !m.busy {
			m.take(b[i])
			i++
		}
		if m.waiting[0] = b[i:]; i == len(b) {
			m.waiting = m.waiting[1:]
		}
	}
}

const maxLine = 1024

// take is one byte of a command line.
func (m *Modem) take(c byte) {
	if m.settings.echo {
		m.send([]byte{c})
	}
	switch {
	case m.prompt:
		m.note(c)
	case c == '\r':
		line := string(m.line)
		m.line = m.line[:0]
		m.exec(line)
	case c == '\n' || c == 0x1B || c == 0x1A:
	case len(m.line) < maxLine:
		m.line = append(m.line, c)
	}
}

// write sends one line of an answer or a URC.
func (m *Modem) write(line string) {
	if m.faultsNow().DoubleCR {
		m.send([]byte("\r\r\n" + line + "\r\r\n"))
		return
	}
	m.send([]byte("\r\n" + line + "\r\n"))
}

// urc sends a line that nobody asked for.
func (m *Modem) urc(line string) {
	if !m.faultsNow().MuteURCs {
		m.write(line)
	}
}

// send gives bytes to the box, as the faults have it.
func (m *Modem) send(b []byte) {
	f := m.faultsNow()
	if m.out == nil || f.Silent || f.Hung {
		return
	}
	b = m.corrupt(b)
	for n := f.Split; n > 0 && len(b) > n; b = b[n:] {
		m.out(b[:n])
	}
	m.out(b)
}

// corrupt damages a share of bytes: it changes, drops or doubles them.
func (m *Modem) corrupt(b []byte) []byte {
	percent := m.faultsNow().Corrupt
	if percent <= 0 {
		return b
	}
	out := make([]byte, 0, len(b)+4)
	for _, c := range b {
		if float64(m.rand()%10000) >= percent*100 {
			out = append(out, c)
			continue
		}
		switch m.rand() % 3 {
		case 0:
			out = append(out, byte(m.rand()))
		case 1:
			out = append(out, c, c)
		}
	}
	return out
}

// rand is a number of a fixed sequence (xorshift), so that runs repeat.
func (m *Modem) rand() uint64 {
	m.random ^= m.random << 13
	m.random ^= m.random >> 7
	m.random ^= m.random << 17
	return m.random
}

// mailbox is what the modem's goroutine has to do, by time.
type mailbox struct {
	wake chan struct{}

	mu     sync.Mutex // guards what follows
	list   []errand
	closed bool
}

type errand struct {
	at time.Time
	do func()
}

func (b *mailbox) post(f func(), after time.Duration) {
	b.mu.Lock()
	at := time.Now().Add(after)
	i := len(b.list)
	for i > 0 && b.list[i-1].at.After(at) {
		i--
	}
	b.list = append(b.list, errand{})
	copy(b.list[i+1:], b.list[i:])
	b.list[i] = errand{at, f}
	b.mu.Unlock()
	b.signal()
}

func (b *mailbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *mailbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}

// next waits for the next errand; false when the mailbox was closed.
func (b *mailbox) next() (func(), bool) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		b.mu.Lock()
		wait := time.Hour
		switch {
		case b.closed:
			b.mu.Unlock()
			return nil, false
		case len(b.list) > 0:
			if wait = time.Until(b.list[0].at); wait <= 0 {
				f := b.list[0].do
				b.list = b.list[1:]
				b.mu.Unlock()
				return f, true
			}
		}
		b.mu.Unlock()
		t.Reset(wait)
		select {
		case <-b.wake:
		case <-t.C:
		}
	}
}
