package siptest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"callbox/call"
	"callbox/media/clock"
	"callbox/media/dtmf"
	"callbox/media/rtp"
	"callbox/sip"
	"callbox/sip/sdp"
)

// party is one call of an endpoint. The endpoint's lock guards the fields below done.
type party struct {
	a       *Endpoint
	d       *sip.Dialog
	session *sdp.Session
	local   sdp.Local
	nego    sync.Mutex    // guards session and local where the box's offers cross ours
	late    bool          // the box makes the offer
	raw     bool          // the offer was not ours: what is agreed is the test's affair
	done    chan struct{} // closed when the call's goroutines have ended

	stream    *rtp.Stream
	ringing   bool
	confirmed bool   // the ACK has come
	up        bool   // the box answered
	body      []byte // our answer, once made
	cause     call.Cause
	stays     netip.AddrPort // see Config.Stay
	say       []int16
	heard     []int16
	said      []int16 // beside heard
	digits    []byte
}

func (a *Endpoint) newParty(d *sip.Dialog, local netip.Addr) (*party, error) {
	p := &party{a: a, d: d, session: sdp.NewSession(), done: make(chan struct{})}
	if err := p.listen(local); err != nil {
		return nil, err
	}
	a.calls.Add(1)
	return p, nil
}

// listen opens a port.
func (p *party) listen(local netip.Addr) error {
	stream, err := rtp.Listen(rtp.Config{Pool: p.a.ports, OnDigit: p.digit})
	if err != nil {
		return err
	}
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.stream = stream
	p.local = sdp.Local{
		Addr: netip.AddrPortFrom(local, stream.LocalPort()), Codecs: p.a.cfg.codecs(), Fmtp: sdp.Parameters(p.a.cfg.Codecs), NoEvents: p.a.cfg.Keys != Events,
	}
	return nil
}

func (p *party) digit(d byte) {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.digits = append(p.digits, d)
	p.a.signal()
}

// start takes an agreed session into use.
func (p *party) start(m sdp.Media) error {
	p.a.mu.Lock()
	stream := p.stream
	if p.a.cfg.Stay {
		if !p.stays.IsValid() {
			p.stays = m.Addr
		}
		m.Addr = p.stays
	}
	p.a.mu.Unlock()
	dir := map[sdp.Direction]rtp.Direction{
		sdp.SendRecv: rtp.SendRecv, sdp.SendOnly: rtp.RecvOnly, sdp.RecvOnly: rtp.SendOnly, sdp.Inactive: rtp.Inactive,
	}[m.Direction]
	return stream.Start(rtp.Remote{RTP: m.Addr, RTCP: m.RTCP}, rtp.Params{
		Codec: m.Codec, PayloadType: m.PayloadType, EventPT: m.EventPT, LocalEventPT: m.LocalEventPT, Direction: dir,
	})
}

// describe answers the box's offer, once.
func (p *party) describe() ([]byte, error) {
	p.a.mu.Lock()
	body, raw := p.body, p.a.answer
	p.a.mu.Unlock()
	switch {
	case raw != nil:
		return raw, nil
	case body != nil:
		return body, nil
	}
	offer, err := sdp.Parse(p.d.Info().Offer)
	if err != nil {
		return nil, err
	}
	body, m, err := p.session.Answer(p.local, offer)
	if err != nil {
		return nil, err
	}
	p.a.mu.Lock()
	p.body = body
	p.a.mu.Unlock()
	return body, p.start(m)
}

// pickUp answers a ringing call.
func (p *party) pickUp() error {
	p.a.mu.Lock()
	ringing := p.ringing
	p.a.mu.Unlock()
	if !ringing {
		return errors.New("endpoint: nothing rings")
	}
	body, err := p.describe()
	if err != nil {
		return err
	}
	if err := p.d.Answer(body); err != nil {
		return err
	}
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.ringing = false
	p.a.signal()
	return nil
}

// follow lives as long as the dialog, with the sound's clock beside it.
func (p *party) follow() {
	defer close(p.done)
	ctx, stop := context.WithCancel(context.Background())
	ticking := make(chan struct{})
	c := clock.New(nil)
	c.Add(&sound{p: p, detector: dtmf.NewDetector()})
	go func() {
		defer close(ticking)
		_ = c.Run(ctx) // ends with ctx
	}()
	for e := range p.d.Events() {
		if err := p.event(e); err != nil && !errors.Is(err, sip.ErrEnded) && !errors.Is(err, rtp.ErrClosed) {
			p.a.t.Errorf("endpoint %s: %v: %v", p.a.cfg.User, e.Type, err)
		}
	}
	stop()
	<-ticking
	_ = p.current().Close()
	defer p.a.calls.Done()
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	if p.a.now == p {
		p.a.now = nil
	}
	p.a.signal()
}

func (p *party) event(e *sip.DialogEvent) error {
	switch e.Type {
	case sip.Progress:
		return p.answered(e)
	case sip.Answered:
		err := p.answered(e)
		p.a.mu.Lock()
		defer p.a.mu.Unlock()
		p.up = true
		p.a.signal()
		return err
	case sip.Confirmed:
		p.a.mu.Lock()
		defer p.a.mu.Unlock()
		p.confirmed = true
		p.a.signal()
	case sip.Offer:
		p.a.mu.Lock()
		fixed := p.a.fixed
		p.a.mu.Unlock()
		if fixed != 0 {
			return p.d.RefuseOffer(fixed)
		}
		if ok, err := p.faxed(e.SDP); ok {
			return err
		}
		offer, err := sdp.Parse(e.SDP)
		if err != nil {
			return err
		}
		p.nego.Lock()
		body, m, err := p.session.Answer(p.local, offer)
		p.nego.Unlock()
		if err != nil {
			return err
		}
		if err := p.start(m); err != nil {
			return err
		}
		return p.d.AcceptOffer(body)
	case sip.Identified:
		p.a.mu.Lock()
		defer p.a.mu.Unlock()
		for _, h := range e.Message.Headers {
			if h.Name == "P-Asserted-Identity" {
				p.a.shown = h.Value
			}
		}
	case sip.Told:
		if key, ok := strings.CutPrefix(string(e.Message.Body), "Signal="); ok && key != "" {
			p.digit(key[0])
			return nil
		}
		p.a.mu.Lock()
		defer p.a.mu.Unlock()
		p.a.told = append(p.a.told, *e.Message)
	case sip.Ended:
		p.a.mu.Lock()
		defer p.a.mu.Unlock()
		p.ringing = false
		p.cause = call.Cause{Q850: e.Reason.Q850, SIP: e.Status, Text: e.Reason.Text}
	}
	return nil
}

// answered is the box's 183 or 200.
func (p *party) answered(e *sip.DialogEvent) error {
	if len(e.SDP) == 0 || p.raw {
		return nil
	}
	if !p.late {
		m, err := p.session.Accept(p.local, e.SDP)
		if err != nil {
			return err
		}
		return p.start(m)
	}
	offer, err := sdp.Parse(e.SDP)
	if err != nil {
		return err
	}
	body, m, err := p.session.Answer(p.local, offer)
	if err != nil {
		return err
	}
	if err := p.start(m); err != nil {
		return err
	}
	return p.d.AcceptOffer(body)
}

// reoffer sends a re-INVITE.
func (p *party) reoffer(ctx context.Context, dir sdp.Direction, fresh bool) error {
	if fresh {
		old := p.stream
		if err := p.listen(p.local.Addr.Addr()); err != nil {
			return err
		}
		_ = old.Close()
	}
	p.nego.Lock()
	p.local.Direction = dir
	offer, err := p.session.Offer(p.local)
	p.nego.Unlock()
	if err != nil {
		return err
	}
	answer, err := p.d.Reinvite(ctx, offer)
	if err != nil {
		return err
	}
	p.nego.Lock()
	m, err := p.session.Accept(p.local, answer)
	p.nego.Unlock()
	if err != nil {
		return fmt.Errorf("answer to a re-INVITE: %w", err)
	}
	return p.start(m)
}
