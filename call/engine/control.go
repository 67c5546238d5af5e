package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/session"
)

// control is a script's hold on its call. It runs on the script's goroutine.
type control struct {
	c *live
	s *running // the script that holds; nil: the engine itself
}

// sound is the same hold as script.Audio.
type sound struct{ control }

var (
	_ script.Control = control{}
	_ script.Dialer  = control{}
	_ script.Audio   = sound{}
)

const (
	// legTime bounds what a leg is asked to do (Progress, and to end after it
	// refused an answer because it has ended).
	legTime = 5 * time.Second
	// closeTime is how long a script waits for a stopped sound to be closed.
	closeTime = time.Second
)

// env is what the script s may do.
func (c *live) env(s *running) *script.Env {
	k := control{c, s}
	return &script.Env{Control: k, Audio: sound{k}, Dialer: k, Prompts: prompts{c.e.cfg.Prompts, c}, Fetcher: c.e.cfg.Fetcher, Rooms: k, Streams: k,
		Messenger: c.e.cfg.Messenger, Recogniser: ears{k}, Signaller: signals{k}, Manners: &c.manners}
}

// prompts are the box's, with what the call says of its speech.
type prompts struct {
	script.Prompts
	c *live
}

// Speak speaks in the call's voice and language where s names none, and in those
// that the call has for such a case when that fails. A vendor that is not set up
// is told of, and the box speaks with its own voice.
func (p prompts) Speak(ctx context.Context, s script.Speech) (media.Clip, error) {
	clip, err := p.speak(ctx, s)
	if err != nil && !over(ctx, err) {
		p.c.alert(call.AlertSpeech, err.Error())
	}
	return clip, err
}

// Open opens a sound.
func (p prompts) Open(ctx context.Context, url string) (media.Clip, error) {
	clip, err := p.Prompts.Open(ctx, url)
	if err != nil && !over(ctx, err) {
		p.c.alert(call.AlertSound, err.Error())
	}
	return clip, err
}

// alert tells what went wrong with the call.
func (c *live) alert(t call.AlertType, text string) {
	c.e.cfg.Alert(call.Alert{Account: c.account, Type: t, Text: text, Call: c.id})
}

// speak is Speak without its alert.
func (p prompts) speak(ctx context.Context, s script.Speech) (media.Clip, error) {
	own := p.c.rec.Load().Session.Speech
	first := s
	if s.Voice == "" && (s.Language == "" || s.Language == own.Language) {
		first.Voice = own.Voice // a voice speaks one language
	}
	first.Language, first.Vendor = cmp.Or(s.Language, own.Language), cmp.Or(s.Vendor, own.Vendor)
	clip, err := p.by(ctx, first)
	if err == nil || ctx.Err() != nil {
		return clip, err
	}
	if own.FallbackVendor != "" || own.FallbackLanguage != "" || own.FallbackVoice != "" {
		second := script.Speech{Text: s.Text, Voice: own.FallbackVoice, Language: cmp.Or(own.FallbackLanguage, first.Language), Vendor: cmp.Or(own.FallbackVendor, first.Vendor)}
		if clip, again := p.by(ctx, second); again == nil {
			control{c: p.c}.Tell(call.EventWarning, "the voice for the case of failure speaks: "+err.Error())
			return clip, nil
		} // else the first reason counts
	}
	if !errors.Is(err, errVendor) {
		return nil, err
	}
	control{c: p.c}.Tell(call.EventWarning, err.Error()+"; the box speaks with its own voice")
	first.Vendor = ""
	return p.Prompts.Speak(ctx, first)
}

// errVendor says that a speech vendor is not set up.
var errVendor = fmt.Errorf("%w: none is set up", script.ErrNoSpeech)

// by speaks by the vendor that s names and no other.
func (p prompts) by(ctx context.Context, s script.Speech) (media.Clip, error) {
	if s.Vendor == "default" {
		s.Vendor = ""
	}
	if v, ok := p.Prompts.(interface{ Speaks(vendor string) bool }); ok && s.Vendor != "" && !v.Speaks(s.Vendor) {
		return nil, fmt.Errorf("%w with the name %.64q", errVendor, s.Vendor)
	}
	return p.Prompts.Speak(ctx, s)
}

// Change does to the call what a request from outside could.
func (k control) Change(ctx context.Context, ch call.Change) error {
	if err := k.c.changeElsewhere(ctx, ch); err != nil {
		return err
	}
	return k.ask(ctx, func() error { return k.c.modify(ch) })
}

// ask runs f on the call's goroutine unless the call is final. f must not block.
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

// leg gives the call's leg.
func (k control) leg(ctx context.Context) (leg call.Leg, err error) {
	err = k.ask(ctx, func() error {
		if leg = k.c.leg; leg == nil {
			return call.ErrEnded
		}
		return nil
	})
	return leg, err
}

// Record is a snapshot of the call.
func (k control) Record() *call.Record { return k.c.rec.Load() }

// Tell publishes an event of the script.
func (k control) Tell(t call.EventType, note string) {
	k.c.do(context.Background(), func() { k.c.note(t, note) })
}

// Hangup ends the call in any state. A script that another one has replaced
// no longer ends it.
func (k control) Hangup(cause call.Cause) {
	k.c.do(context.Background(), func() {
		if k.s == nil || !k.s.replaced {
			k.c.end(cause)
		}
	})
}

// progress tells an arriving call's far end how far the call has got.
func (k control) progress(ctx context.Context, p call.Progress) error {
	leg, err := k.leg(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, legTime)
	defer cancel()
	return leg.Progress(ctx, p)
}

// Early makes the way for sound to the caller: one that is not answered is told
// once that sound comes before the answer.
func (k control) Early(ctx context.Context) error {
	open := false
	if err := k.ask(ctx, func() error { open = k.c.opened || k.c.r.State == call.InProgress; return nil }); err != nil || open {
		return err
	}
	if err := k.progress(ctx, call.ProgressEarly); err != nil {
		return err
	}
	return k.ask(ctx, func() error { k.c.opened = true; return nil })
}

// Answer takes an arriving call off-hook and waits until that is done.
func (k control) Answer(ctx context.Context) error {
	leg, err := k.leg(ctx)
	if err != nil {
		return err
	}
	if k.c.rec.Load().State == call.InProgress {
		return nil
	}
	if err := leg.Answer(ctx); err != nil {
		return k.refused(ctx, err)
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

// refused is what a script is told when its leg refused with err. A leg that
// has ended says so itself in a moment, with the true cause: the script must not
// end the call before.
func (k control) refused(ctx context.Context, err error) error {
	if !errors.Is(err, call.ErrLegEnded) {
		return err
	}
	if werr := k.wait(ctx, legTime); werr != nil {
		return werr
	}
	return err
}

// wait lets d pass.
func (k control) wait(ctx context.Context, d time.Duration) error {
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

// Play sends a clip to the call.
func (k sound) Play(ctx context.Context, clip media.Clip) error {
	defer k.indoors(ctx)()
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
	return k.played(ctx, p)
}

// played waits until a clip has been played. It is stopped when ctx or the call
// ends before.
func (k control) played(ctx context.Context, p *session.Playback) (err error) {
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-k.c.over:
		err = call.ErrEnded
	}
	k.silence(p)
	return err
}

// silence stops a clip and waits for it to be closed, but not for ever: it may
// be a child process that does not die.
func (k control) silence(p *session.Playback) {
	k.c.e.tasks.Go(p.Stop)
	t := time.NewTimer(closeTime)
	defer t.Stop()
	select {
	case <-p.Done():
	case <-t.C:
		k.Tell(call.EventWarning, "a sound that was stopped takes long to close")
	}
}

// digitLength is how long a sent digit lasts, and the pause after it.
const digitLength = 100 * time.Millisecond

// SendDigits sends digits outside the sound where the leg can, else as tones.
func (k sound) SendDigits(ctx context.Context, digits string, length time.Duration) error {
	leg, err := k.leg(ctx)
	if err != nil {
		return err
	}
	sender, ok := leg.(call.DigitSender)
	if !ok {
		return k.sendTones(ctx, digits, length)
	}
	for i, d := range []byte(digits) {
		pause := digitLength
		switch d {
		case 'w':
			pause = 500 * time.Millisecond
		case 'W':
			pause = time.Second
		default:
			err := sender.SendDigit(ctx, d, cmp.Or(length, digitLength))
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, call.ErrLegEnded):
				return k.refused(ctx, err)
			default:
				k.tonesInstead(err)
				return k.sendTones(ctx, digits[i:], length)
			}
		}
		if err := k.wait(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// tonesInstead says once per call that its digits go in the sound.
func (k sound) tonesInstead(err error) {
	k.c.do(context.Background(), func() {
		if !k.c.tones {
			k.c.tones = true
			k.c.note(call.EventWarning, "digits are sent as tones: "+err.Error())
		}
	})
}

// sendTones plays digits in the sound.
func (k sound) sendTones(ctx context.Context, digits string, length time.Duration) error {
	clip, err := k.c.e.cfg.Tones(digits, length)
	if err != nil {
		return err
	}
	return k.Play(ctx, clip)
}

// Digit waits for the next key press.
func (k sound) Digit(ctx context.Context) (byte, error) { return k.c.keys.next(ctx, k.c.over) }

// DropDigits forgets the keys pressed so far.
func (k sound) DropDigits() { k.c.keys.drop() }

// Record starts a recording of the call.
func (k sound) Record(o call.RecordOptions) (script.Recording, error) {
	r, err := k.c.makeRecording(o)
	if err != nil {
		return nil, err
	}
	return r, nil
}
