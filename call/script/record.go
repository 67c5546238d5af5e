package script

import (
	"context"
	"errors"
	"strings"
	"time"

	"callbox/call"
	"callbox/media"
)

// MaxRecordLength is used when a Record has no Options.MaxLength (call-api.md §5.2).
const MaxRecordLength = time.Hour

// Record keeps what the caller says. It ends on a key, on silence, at
// Options.MaxLength, and when the caller hangs up.
type Record struct {
	Action      call.Hook // told of the recording; none: the document goes on
	Options     call.RecordOptions
	Timeout     time.Duration // of silence; 0: silence does not end it
	FinishOnKey string        // any of these keys ends it; empty: none
	Beep        bool          // 1,000 Hz for 0.5 s before it starts
}

// Name is "record".
func (Record) Name() string { return "record" }

// Run records and jumps to Action, also after a hang-up. When nothing was
// recorded it goes on with the next verb.
func (r Record) Run(ctx context.Context, env *Env) (*Jump, error) {
	env.DropDigits()
	if err := playBeep(ctx, env, r.Beep); err != nil {
		return nil, err
	}
	o := r.Options
	o.MaxSilence = r.Timeout
	if o.MaxLength <= 0 {
		o.MaxLength = MaxRecordLength
	}
	rec, err := env.Audio.Record(o)
	if err != nil {
		if over(ctx, err) {
			return nil, err
		}
		env.Tell(call.EventWarning, "cannot record: "+err.Error())
		return nil, nil
	}
	key, kerr := r.untilDone(ctx, env, rec)
	final, err := rec.Stop()
	if err != nil {
		env.Tell(call.EventWarning, "the recording failed: "+err.Error())
		return nil, kerr
	}
	hungUp := key == 0 && ended(env, kerr)
	if kerr != nil && !hungUp {
		return nil, kerr // another document took over: nobody waits for this one
	}
	if r.Action.IsZero() || r.empty(final, o) {
		return nil, kerr
	}
	return &Jump{Hook: r.Action, Result: &Result{Verb: r.Name(), Recording: &final, Digit: key, HungUp: hungUp}}, nil
}

// untilDone waits for the end of the recording: by itself (0, nil), by a key, or
// with an error because the script is over.
func (r Record) untilDone(ctx context.Context, env *Env, rec Recording) (byte, error) {
	listening, deafen := context.WithCancel(ctx)
	return untilKey(ctx, listening, deafen, env, rec.Done(), func(d byte) bool {
		return strings.IndexByte(r.FinishOnKey, d) >= 0
	})
}

// untilKey waits for a key that ends what goes on, for done or the end of
// listening (0, nil), or for the end of the script. listening is derived from ctx
// and is ended with deafen in any case.
func untilKey(ctx, listening context.Context, deafen context.CancelFunc, env *Env, done <-chan struct{}, ends func(byte) bool) (byte, error) {
	watched := make(chan struct{})
	go func() { // ended by deafen, waited for through watched
		defer close(watched)
		select {
		case <-done:
			deafen()
		case <-listening.Done():
		}
	}()
	defer func() { deafen(); <-watched }()
	for {
		d, err := env.Digit(listening)
		if err == nil {
			if ends(d) {
				return d, nil
			}
			continue
		}
		if ctx.Err() == nil && !errors.Is(err, call.ErrEnded) && listening.Err() != nil {
			return 0, nil
		}
		return 0, err
	}
}

// Recorder starts, pauses, resumes or stops a recording that runs beside the
// document.
type Recorder struct {
	Verb   string // the name in the document: "start", "stop"
	Change call.RecordingChange
}

// Name is Verb.
func (r Recorder) Name() string { return r.Verb }

// Run does the change. One that cannot be done gives a warning.
func (r Recorder) Run(ctx context.Context, env *Env) (*Jump, error) {
	err := env.Change(ctx, call.Change{Recording: &r.Change})
	if err == nil || over(ctx, err) {
		return nil, err
	}
	env.Tell(call.EventWarning, "cannot "+r.Verb+" the recording: "+err.Error())
	return nil, nil
}

// empty reports whether nothing was recorded: no sound at all, or nothing but
// the silence that ended it.
func (r Record) empty(rec call.Recording, o call.RecordOptions) bool {
	if rec.Duration <= 0 || rec.Status == "absent" {
		return true
	}
	return rec.BySilence && !o.Trim && rec.Duration <= o.MaxSilence+media.FrameDuration
}

// ended reports whether the call has ended, as opposed to another script having
// taken its place; err is what the last wait gave.
func ended(env *Env, err error) bool {
	return errors.Is(err, call.ErrEnded) || env.Control.Record().State.Final()
}

// playBeep plays the beep when it is wanted. One that cannot be played gives a
// warning; the error is the end of the script.
func playBeep(ctx context.Context, env *Env, wanted bool) error {
	if !wanted {
		return nil
	}
	err := env.Play(ctx, &beep{left: beepFrames})
	if err == nil || over(ctx, err) {
		return err
	}
	env.Tell(call.EventWarning, "cannot play the beep: "+err.Error())
	return nil
}

// beepFrames is the length of the beep: 0.5 s.
const beepFrames = 25

// beepWave is one period of 1,000 Hz at 8,000 Hz, 12 dB below full scale:
//
//	8192 * sin(k*45°)
var beepWave = [8]int16{0, 5793, 8192, 5793, 0, -5793, -8192, -5793}

// beep is the sound before a recording.
type beep struct{ left int }

// ReadFrame gives the next 20 ms of the tone, 20 whole periods.
func (b *beep) ReadFrame(f *media.Frame) bool {
	if b.left == 0 {
		return false
	}
	b.left--
	for i := range f {
		f[i] = beepWave[i%len(beepWave)]
	}
	return true
}

// Close does nothing.
func (b *beep) Close() error { return nil }
