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

// Answered is what answered, in one word: "human", "machine", "fax", or "silence"
// where nobody could be told.
func (r Result) Answered() string {
	switch r {
	case Human, Fax:
		return string(r)
	case Unknown:
		return "silence"
	}
	return "machine"
}

// Config are the thresholds of the call APIs (call-api.md §4). Times count from
// the answer unless they say otherwise. Where Speech, SpeechEnd or Words is 0 the
// model decides instead; one that is given is a rule and comes first.
type Config struct {
	MessageEnd  bool          // go on after a machine was recognised, to the end of its greeting
	Timeout     time.Duration // undecided by then: Unknown
	Speech      time.Duration // a first utterance this long is a machine's, a shorter one a person's; 0: the model decides
	SpeechEnd   time.Duration // of silence ends an utterance, nobody is called a person before; 0: the model decides
	Silence     time.Duration // no voice for so long from the answer, or from the network's last tone: Unknown
	GreetingEnd time.Duration // of silence ends a machine's greeting; 0: SpeechEnd, 2 s without that
	ToneTimeout time.Duration // longest wait for a greeting's end after the decision; 0: Timeout, from the answer
	Words       int           // this many words are a machine's; 0: not counted
}

// What ends speech where nobody has said it.
const (
	usualSpeechEnd   = 1200 * time.Millisecond
	usualGreetingEnd = 2 * time.Second
)

// Event is something the detector found out.
type Event struct {
	Result Result
	At     time.Duration // from the answer
	Final  bool          // nothing follows
	Why    string        // one sentence
	Tone   float64       // Hz of the beep of MachineEndBeep, else 0
	// Confidence is how likely the result is, by the model: 0 to 1. Rules and tones
	// are 1, what is unknown 0.
	Confidence float64
}

// Detector listens to one call. It belongs to the goroutine that writes, except
// for New.
type Detector struct {
	*Meter
	cfg     Config
	decided bool
	at      int // frame of the decision
	over    bool
}

// New makes a detector for a call that has just been answered.
func New(cfg Config) *Detector { return listening(NewMeter(), cfg) }

// listening makes a detector that is told by a meter.
func listening(m *Meter, cfg Config) *Detector {
	if cfg.Speech > 0 && cfg.SpeechEnd == 0 {
		cfg.SpeechEnd = usualSpeechEnd
	}
	if cfg.GreetingEnd == 0 {
		cfg.GreetingEnd = cfg.SpeechEnd
	}
	if cfg.GreetingEnd == 0 {
		cfg.GreetingEnd = usualGreetingEnd
	}
	return &Detector{cfg: cfg, Meter: m}
}

// Write takes the next 20 ms of the far end, silence where nothing came. It
// reports ok, and the event, when it has found something out; after the final
// event it does nothing. It allocates only for an event's sentence.
func (d *Detector) Write(f *media.Frame) (ev Event, ok bool) {
	if d.over {
		return Event{}, false
	}
	d.Meter.Write(f)
	return d.next()
}

// next looks at what the meter has measured since.
func (d *Detector) next() (ev Event, ok bool) {
	switch {
	case d.tones.isFax() && d.voice.began < 0: // a fax never speaks
		return d.end(Fax, 1, "a fax answered: its "+d.tones.faxName+" tone was heard"), true
	case d.decided:
		return d.greeting()
	}
	return d.decide()
}

// Judge gives the final event for a whole recording at 8 kHz, which begins at the
// answer; what comes after its end is silence.
func Judge(cfg Config, sound []int16) Event { return JudgeEach([]Config{cfg}, sound)[0] }

// JudgeEach is Judge with several thresholds, for each the event. The recording is
// measured once.
func JudgeEach(cfgs []Config, sound []int16) []Event {
	m := NewMeter()
	list := make([]*Detector, len(cfgs))
	for i, cfg := range cfgs {
		list[i] = listening(m, cfg)
	}
	last := make([]Event, len(cfgs))
	for left, at := len(cfgs), 0; left > 0; at += media.FrameSamples {
		var f media.Frame
		if at < len(sound) {
			copy(f[:], sound[at:])
		}
		m.Write(&f)
		for i, d := range list {
			if d.over {
				continue
			}
			if ev, ok := d.next(); ok && ev.Final {
				last[i] = ev
				left--
			}
		}
	}
	return last
}

// decide applies the rules, and where there are none the model, to what was heard
// so far.
func (d *Detector) decide() (Event, bool) {
	now := d.Now()
	if d.TonesTell() && (d.tones.announces() || !d.beep.ofNetwork()) {
		return d.machine(1, d.toneWords()), true
	}
	if d.blurred.sure && d.blurred.at == d.n-1 {
		return d.machine(1, fmt.Sprintf("a beep of about %.0f Hz", d.blurred.hz)), true
	}
	if d.voice.began < 0 {
		switch {
		case span(d.tones.ended, d.n) >= d.cfg.Silence && !d.ToneSounds():
			return d.end(Unknown, 0, "nobody spoke for "+seconds(span(d.tones.ended, d.n))), true
		case now >= d.cfg.Timeout:
			return d.end(Unknown, 0, "nobody spoke within "+seconds(now)), true
		}
		return Event{}, false
	}
	said := span(d.voice.began, d.voice.last+1)
	quiet := span(d.voice.last+1, d.n)
	switch words := d.voice.words(); {
	case d.cfg.Words > 0 && words >= d.cfg.Words:
		return d.machine(1, fmt.Sprintf("about %d words in %s of speech", words, seconds(said))), true
	case d.cfg.Speech > 0 && said >= d.cfg.Speech:
		return d.machine(1, fmt.Sprintf("%s of speech without a pause of %s", seconds(said), seconds(d.cfg.SpeechEnd))), true
	case d.cfg.Speech > 0 && quiet >= d.cfg.SpeechEnd:
		return d.end(Human, 1, fmt.Sprintf("%s of speech, then %s of silence", seconds(said), seconds(quiet))), true
	case d.cfg.Speech == 0 && !d.ToneSounds():
		if ev, ok := d.weigh(quiet); ok {
			return ev, true
		}
	}
	if now >= d.cfg.Timeout {
		return d.end(Unknown, 0, "no decision within "+seconds(now)), true
	}
	return Event{}, false
}

// Limits are when the model's probability is believed.
type Limits struct {
	Machine    float64       // from this probability of a machine on it is one
	Human      float64       // below it, who is quiet is a person …
	LeastQuiet time.Duration // … when quiet for so long
	MostQuiet  time.Duration // then it is what is likelier
}

// usual and patient were chosen on the clips for tuning. Few people called machines
// come first, then few errors; each quarter of a second that a person waits halves the
// terse greetings that are taken for a person. Who wants to leave a message behind the
// greeting would rather wait.
var (
	usual   = Limits{Machine: 0.98, Human: 0.03, LeastQuiet: 300 * time.Millisecond, MostQuiet: 1800 * time.Millisecond}
	patient = Limits{Machine: 0.98, Human: 0.02, LeastQuiet: 300 * time.Millisecond, MostQuiet: 2100 * time.Millisecond}
)

// Decide gives Human or MachineStart for a probability p of a machine after a
// quiet of some length; ok is false while neither is sure enough.
func (l Limits) Decide(p float64, quiet time.Duration) (r Result, ok bool) {
	long := quiet >= l.MostQuiet
	switch {
	case p >= l.Machine || long && p >= 0.5:
		return MachineStart, true
	case long || p < l.Human && quiet >= l.LeastQuiet:
		return Human, true
	}
	return "", false
}

// everyFrames is how often the model is asked.
const everyFrames = 2

// weigh asks the model. With a SpeechEnd nobody is a person before.
func (d *Detector) weigh(quiet time.Duration) (Event, bool) {
	if d.n%everyFrames != 0 {
		return Event{}, false
	}
	l := usual
	if d.cfg.MessageEnd {
		l = patient
	}
	if d.cfg.SpeechEnd > 0 {
		l.LeastQuiet, l.MostQuiet = d.cfg.SpeechEnd, max(l.MostQuiet, d.cfg.SpeechEnd)
	}
	x, _ := d.Features()
	p := MachineProbability(&x)
	switch r, ok := l.Decide(p, quiet); {
	case !ok:
		return Event{}, false
	case r == MachineStart:
		return d.machine(p, x.machineWords()), true
	}
	return d.end(Human, 1-p, x.personWords()), true
}

// machineWords says what of the features speaks for a machine.
func (x *Features) machineWords() string {
	if x[LongPause] == 0 {
		return fmt.Sprintf("%.1f s of speech without a pause", x[Span])
	}
	return fmt.Sprintf("%.1f s of speech without a pause over %.1f s", x[Span], x[LongPause])
}

// personWords says what speaks for a person.
func (x *Features) personWords() string {
	return fmt.Sprintf("%.1f s of speech, then %.1f s of silence", x[Span], x[Quiet])
}

// machine is the decision that a machine answered, with its probability.
func (d *Detector) machine(p float64, why string) Event {
	if !d.cfg.MessageEnd {
		return d.end(MachineStart, p, why)
	}
	d.decided, d.at = true, d.n
	return Event{Result: MachineStart, At: d.Now(), Why: why, Confidence: p}
}

// greeting waits for the end of a machine's greeting: its beep, or silence.
func (d *Detector) greeting() (Event, bool) {
	limit := d.cfg.Timeout
	if d.cfg.ToneTimeout > 0 {
		limit = span(0, d.at) + d.cfg.ToneTimeout
	}
	quiet := span(max(d.voice.last+1, d.voice.talked+1, d.beepAt), d.n)
	switch now := d.Now(); {
	case d.blurred.at > 0 && d.voice.last < d.blurred.at && d.blurred.at > d.beepAt:
		ev := d.end(MachineEndBeep, 1, fmt.Sprintf("the greeting ended with a beep of about %.0f Hz", d.blurred.hz))
		ev.Tone = d.blurred.hz
		return ev, true
	case d.beepAt > 0 && d.voice.last < d.beepAt && !d.beep.ofNetwork():
		ev := d.end(MachineEndBeep, 1, fmt.Sprintf("the greeting ended with a beep of %.0f Hz", d.beep.hz[0]))
		ev.Tone = d.beep.hz[0]
		return ev, true
	case quiet >= d.cfg.GreetingEnd && !d.ToneSounds():
		return d.end(MachineEndSilence, 1, "the greeting ended with "+seconds(quiet)+" of silence"), true
	case now >= limit:
		return d.end(MachineEndOther, 1, "the greeting went on for "+seconds(now)), true
	}
	return Event{}, false
}

func (d *Detector) end(r Result, p float64, why string) Event {
	d.over = true
	return Event{Result: r, At: d.Now(), Final: true, Why: why, Confidence: p}
}

// span is the time between the beginnings of two frames.
func span(from, to int) time.Duration { return time.Duration(to-from) * media.FrameDuration }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
