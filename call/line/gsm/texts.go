package gsm

import (
	"context"
	"errors"
	"fmt"

	"callbox/call"
	"callbox/hal"
)

var _ call.Texter = (*Line)(nil)

// texter is the modem as one that sends text messages.
func (l *Line) texter() (hal.Texter, error) {
	if t, ok := l.modem.(hal.Texter); ok {
		return t, nil
	}
	return nil, fmt.Errorf("line %s: its modem knows neither text messages nor USSD", l.cfg.ID)
}

// SendText implements [call.Texter].
func (l *Line) SendText(ctx context.Context, to, body string) (call.TextSent, error) {
	t, err := l.texter()
	if err != nil {
		return call.TextSent{}, &call.TextError{Text: err.Error()}
	}
	sent, err := t.SendText(ctx, to, body)
	if err == nil {
		return call.TextSent(sent), nil
	}
	out := &call.TextError{Text: err.Error()}
	var te *hal.TextError
	if errors.As(err, &te) {
		out = &call.TextError{Text: te.Text, Transient: te.Transient, Sent: te.Sent}
	}
	return call.TextSent(sent), out
}

// USSD implements [call.Texter].
func (l *Line) USSD(ctx context.Context, code string) (call.USSDAnswer, error) {
	t, err := l.texter()
	if err != nil {
		return call.USSDAnswer{}, err
	}
	a, err := t.USSD(ctx, code)
	if err != nil {
		return call.USSDAnswer(a), fmt.Errorf("line %s: %w", l.cfg.ID, err)
	}
	return call.USSDAnswer(a), nil
}

// CancelUSSD implements [call.Texter].
func (l *Line) CancelUSSD(ctx context.Context) error {
	t, err := l.texter()
	if err != nil {
		return err
	}
	if err := t.CancelUSSD(ctx); err != nil {
		return fmt.Errorf("line %s: %w", l.cfg.ID, err)
	}
	return nil
}

// Number implements [call.Texter]: that of the SIM, as configured, or else as the
// SIM says.
func (l *Line) Number() string {
	if l.cfg.Number != "" {
		return l.cfg.Number
	}
	return l.modem.State().Number
}
