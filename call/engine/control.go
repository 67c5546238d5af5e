package engine

import (
	"context"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/session"
)

// control is a script's hold on its call. It runs on the script's goroutine.
type control struct{ c *live }

// sound is the same hold as script.Audio.
type sound struct{ control }

var (
	_ script.Control = control{}
	_ script.Dialer  = control{}
	_ script.Audio   = sound{}
)

func (c *live) env() script.Env {
	k := control{c}
	return script.Env{Control: k, Audio: sound{k}, Dialer: k, Prompts: c.e.cfg.Prompts, Fetcher: c.e.cfg.Fetcher}
}

// ask runs f on the call's goroutine unless the call is final.
func (k control) ask(ctx context.Context, f func() error) error {
	err := call.ErrEnded
	if !k.c.do(ctx, func() {
		if !k.c.r.State.Final() {
			err = f()
		}
	}) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Record is a snapshot of the call.
func (k control) Record() call.Record { return k.c.snapshot() }

// Tell publishes an event of the script.
func (k control) Tell(t call.EventType, note string) {
	k.c.do(context.Background(), func() { k.c.note(t, note) })
}

// Hangup ends the call in any state.
func (k control) Hangup(cause call.Cause) {
	k.c.do(context.Background(), func() { k.c.end(cause) })
}

// Answer takes an arriving call off-hook and waits until that is done.
func (k control) Answer(ctx context.Context) error {
	var leg call.Leg
	err := k.ask(ctx, func() error { leg = k.c.leg; return nil })
	if err != nil {
		return err
	}
	if k.c.snapshot().State == call.InProgress {
		return nil
	}
	if leg == nil {
		return call.ErrEnded
	}
	if err := leg.Answer(ctx); err != nil {
		return err
	}
	select {
	case <-k.c.up:
		return nil
	case <-k.c.over:
		return call.ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Play sends a clip to the call.
func (k sound) Play(ctx context.Context, clip media.Clip) error {
	var p *session.Playback
	err := k.ask(ctx, func() error {
		if k.c.sess == nil {
			return call.ErrEnded
		}
		p = k.c.sess.Play(clip)
		return nil
	})
	if err != nil {
		clip.Close()
		return err
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		p.Stop()
		return ctx.Err()
	case <-k.c.over:
		p.Stop()
		return call.ErrEnded
	}
}

// digitLength is how long a sent digit lasts, and the pause after it.
const digitLength = 100 * time.Millisecond

// SendDigits sends digits outside the sound where the leg can, else as tones.
func (k sound) SendDigits(ctx context.Context, digits string) error {
	var leg call.Leg
	if err := k.ask(ctx, func() error { leg = k.c.leg; return nil }); err != nil {
		return err
	}
	sender, ok := leg.(call.DigitSender)
	if !ok {
		clip, err := k.c.e.cfg.Tones(digits)
		if err != nil {
			return err
		}
		return k.Play(ctx, clip)
	}
	for _, d := range []byte(digits) {
		pause := digitLength
		switch d {
		case 'w':
			pause = 500 * time.Millisecond
		case 'W':
			pause = time.Second
		default:
			if err := sender.SendDigit(ctx, d, digitLength); err != nil {
				return err
			}
		}
		if err := k.wait(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// wait lets d pass.
func (k sound) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.c.over:
		return call.ErrEnded
	}
}

// Digit waits for the next key press.
func (k sound) Digit(ctx context.Context) (byte, error) { return k.c.keys.next(ctx, k.c.over) }

// DropDigits forgets the keys pressed so far.
func (k sound) DropDigits() { k.c.keys.drop() }

// Record starts a recording of the call.
func (k sound) Record(o call.RecordOptions) (script.Recording, error) {
	var r *recording
	err := k.ask(context.Background(), func() (err error) { r, err = k.c.startRecording(o); return err })
	if err != nil {
		return nil, err
	}
	return r, nil
}
