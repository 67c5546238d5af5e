package gsm

import (
	"context"
	"errors"
	"fmt"

	"callbox/hal"
	"callbox/hal/sms"
)

var _ hal.Texter = (*Port)(nil)

// texts hands what arrives to whoever the port is configured with at that moment;
// without anybody it stays on the SIM.
type texts struct{ p *Port }

var errNobody = errors.New("nobody takes text messages yet")

func (t texts) TextArrived(part hal.TextPart) error {
	if r := t.p.config().Texts; r != nil {
		return r.TextArrived(part)
	}
	return errNobody
}

func (t texts) TextReported(r hal.TextReport) error {
	if to := t.p.config().Texts; to != nil {
		return to.TextReported(r)
	}
	return errNobody
}

// startTexts takes and sends text messages from now on.
func (p *Port) startTexts(err error) {
	s := p.s
	if err != nil {
		p.update(func(m *hal.ModemState) { m.Warnings = append(m.Warnings, "text messages do not work: "+err.Error()) })
		return
	}
	if p.texter() == s.texts { // the SIM was ready before
		s.texts.Sweep()
		return
	}
	s.wg.Go(func() { s.texts.Run(s.ctx) })
	p.publishTexts(s.texts)
}

func (p *Port) publishTexts(s *sms.Service) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = s
}

func (p *Port) texter() *sms.Service {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.texts
}

// SendText implements [hal.Texter].
func (p *Port) SendText(ctx context.Context, to, body string) (hal.TextSent, error) {
	s := p.texter()
	if s == nil {
		return hal.TextSent{}, &hal.TextError{Text: p.State().Text, Transient: true}
	}
	return s.SendText(ctx, to, body)
}

// USSD implements [hal.Texter].
func (p *Port) USSD(ctx context.Context, code string) (hal.USSDAnswer, error) {
	s := p.texter()
	if s == nil {
		return hal.USSDAnswer{}, fmt.Errorf("%w: %s", hal.ErrNotReady, p.State().Text)
	}
	return s.USSD(ctx, code)
}

// CancelUSSD implements [hal.Texter].
func (p *Port) CancelUSSD(ctx context.Context) error {
	s := p.texter()
	if s == nil {
		return nil
	}
	return s.CancelUSSD(ctx)
}
