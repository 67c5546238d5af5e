package amd

import (
	"fmt"
	"time"

	"callbox/media"
)

// Result is what answered, in the words of the call APIs.
type Result string

// The results. Without [Config].MessageEnd a machine is MachineStart; with it
// MachineStart is the decision and one of the MachineEnd results the last word.
const (
	Human             Result = "human"
	MachineStart      Result = "machine_start"
	MachineEndBeep    Result = "machine_end_beep"
	MachineEndSilence Result = "machine_end_silence"
	MachineEndOther   Result = "machine_end_other"
	Fax               Result = "fax"
	Unknown           Result = "unknown"
)

// Config are the thresholds of the call APIs (call-api.md §4). Times count from
// the answer unless they say otherwise.
type Config struct {
	MessageEnd  bool          // go on after a machine was recognised, to the end of its greeting
	Timeout     time.Duration // undecided by then: Unknown
	Speech      time.Duration // a first utterance this long is a machine's
	SpeechEnd   time.Duration // of silence ends an utterance
	Silence     time.Duration // no voice at all by then: Unknown
	GreetingEnd time.Duration // of silence ends a machine's greeting; 0: SpeechEnd
	ToneTimeout time.Duration // longest wait for a greeting's end after the decision; 0: Timeout, from the answer
	Words       int           // this many words are a machine's; 0: not counted
}

// Event is something the detector found out.
type Event struct {
	Result Result
	At     time.Duration // from the answer
	Final  bool          // nothing follows
	Why    string        // one sentence
	Tone   float64       // Hz of the beep of MachineEndBeep, else 0
}

// Detector listens to one call. It belongs to the goroutine that writes, except
// for New.
type Detector struct {
	cfg      Config
	analyser *analyser
	voice    voice
	tones    tones
	n        int // frames heard
	decided  bool
	at       int // frame of the decision
	over     bool
	beepAt   int // frame after the last beep, 0 without one
	beepHz   float64
}

// New makes a detector for a call that has just been answered.
func New(cfg Config) *Detector {
	if cfg.GreetingEnd == 0 {
		cfg.GreetingEnd = cfg.SpeechEnd
	}
	return &Detector{cfg: cfg, analyser: newAnalyser(), voice: newVoice()}
}

// Write takes the next 20 ms of the far end, silence where nothing came. It
// reports ok, and the event, when it has found something out; after the final
// event it does nothing. It allocates only for an event's sentence.
func (d *Detector) Write(f *media.Frame) (ev Event, ok bool) {
	if d.over {
		return Event{}, false
	}
	s := d.analyser.frame(f)
	n := d.n
	d.n++
	d.voice.frame(n, s)
	b, beeped := d.tones.frame(n, s)
	if beeped && !d.lineTone(b) {
		d.beepAt, d.beepHz = n, b.hz
	}
	switch {
	case d.tones.isFax():
		return d.end(Fax, "a fax answered: its "+d.tones.faxName+" tone was heard"), true
	case d.decided:
		return d.greeting()
	}
	return d.decide()
}

// lineTone reports whether a tone is more likely the network's than a machine's:
// a low one of some length before any voice.
func (d *Detector) lineTone(b beep) bool {
	return d.voice.began < 0 && b.hz < callTone && b.frames > 15
}

// decide applies the rules to what was heard so far.
func (d *Detector) decide() (Event, bool) {
	now := d.now()
	if d.beepAt > 0 {
		return d.machine(fmt.Sprintf("a beep of %.0f Hz", d.beepHz)), true
	}
	if d.voice.began < 0 {
		switch {
		case now >= d.cfg.Silence:
			return d.end(Unknown, "nobody spoke for "+seconds(now)), true
		case now >= d.cfg.Timeout:
			return d.end(Unknown, "nobody spoke within "+seconds(now)), true
		}
		return Event{}, false
	}
	said := span(d.voice.began, d.voice.last+1)
	quiet := span(d.voice.last+1, d.n)
	switch words := d.voice.words(); {
	case said >= d.cfg.Speech:
		return d.machine(fmt.Sprintf("%s of speech without a pause of %s", seconds(said), seconds(d.cfg.SpeechEnd))), true
	case d.cfg.Words > 0 && words >= d.cfg.Words:
		return d.machine(fmt.Sprintf("about %d words in %s of speech", words, seconds(said))), true
	case quiet >= d.cfg.SpeechEnd:
		return d.end(Human, fmt.Sprintf("%s of speech, then %s of silence", seconds(said), seconds(quiet))), true
	case now >= d.cfg.Timeout:
		return d.end(Unknown, "no decision within "+seconds(now)), true
	}
	return Event{}, false
}

// machine is the decision that a machine answered.
func (d *Detector) machine(why string) Event {
	if !d.cfg.MessageEnd {
		return d.end(MachineStart, why)
	}
	d.decided, d.at = true, d.n
	return Event{Result: MachineStart, At: d.now(), Why: why}
}

// greeting waits for the end of a machine's greeting: its beep, or silence.
func (d *Detector) greeting() (Event, bool) {
	limit := d.cfg.Timeout
	if d.cfg.ToneTimeout > 0 {
		limit = span(0, d.at) + d.cfg.ToneTimeout
	}
	quiet := span(max(d.voice.last+1, d.beepAt), d.n)
	switch now := d.now(); {
	case d.beepAt > 0 && d.voice.last < d.beepAt:
		ev := d.end(MachineEndBeep, fmt.Sprintf("the greeting ended with a beep of %.0f Hz", d.beepHz))
		ev.Tone = d.beepHz
		return ev, true
	case quiet >= d.cfg.GreetingEnd && d.tones.frames == 0:
		return d.end(MachineEndSilence, "the greeting ended with "+seconds(quiet)+" of silence"), true
	case now >= limit:
		return d.end(MachineEndOther, "the greeting went on for "+seconds(now)), true
	}
	return Event{}, false
}

func (d *Detector) end(r Result, why string) Event {
	d.over = true
	return Event{Result: r, At: d.now(), Final: true, Why: why}
}

// now is the time from the answer to the end of the last frame.
func (d *Detector) now() time.Duration { return span(0, d.n) }

// span is the time between the beginnings of two frames.
func span(from, to int) time.Duration { return time.Duration(to-from) * media.FrameDuration }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
