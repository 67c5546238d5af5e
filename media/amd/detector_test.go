package amd

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
	"callbox/media/speech"
)

// twilio are the defaults of the Twilio family.
func twilio(messageEnd bool) Config {
	return Config{MessageEnd: messageEnd, Timeout: 30 * time.Second, Speech: 2400 * time.Millisecond,
		SpeechEnd: 1200 * time.Millisecond, Silence: 5 * time.Second}
}

// line is what comes down a telephone line, sample by sample.
type line struct {
	t *testing.T
	x []float64
}

func (l *line) quiet(d time.Duration) *line {
	l.x = append(l.x, make([]float64, int(d.Seconds()*media.SampleRate))...)
	return l
}

// tones adds sines at peak -12 dBov together.
func (l *line) tones(d time.Duration, hz ...float64) *line {
	for i := range int(d.Seconds() * media.SampleRate) {
		var v float64
		for _, f := range hz {
			v += 8000 / float64(len(hz)) * math.Sin(2*math.Pi*f*float64(i)/media.SampleRate)
		}
		l.x = append(l.x, v)
	}
	return l
}

// say adds a spoken text at about gain times espeak-ng's own level.
func (l *line) say(voice, text string, gain float64) *line {
	l.t.Helper()
	clip, err := speech.New(speech.Config{}).Speak(l.t.Context(), text, voice, "")
	if err != nil {
		l.t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
	}
	defer clip.Close() //nolint:errcheck // a clip in memory
	var f media.Frame
	for clip.ReadFrame(&f) {
		for _, v := range f {
			l.x = append(l.x, gain*float64(v))
		}
	}
	return l
}

// noise adds white noise of dBov to all there is so far.
func (l *line) noise(dBov float64) *line {
	r := rand.New(rand.NewPCG(1, 2))
	rms := 32767 * math.Pow(10, dBov/20)
	for i := range l.x {
		l.x[i] += rms * r.NormFloat64()
	}
	return l
}

// hear gives the line through G.711 to a detector until the final event.
func (l *line) hear(cfg Config) []Event {
	l.t.Helper()
	d := New(cfg)
	var events []Event
	var coded [media.FrameSamples]byte
	for i := 0; ; i += media.FrameSamples {
		var f media.Frame
		for j := range f {
			if i+j < len(l.x) {
				f[j] = int16(max(-32768, min(32767, l.x[i+j])))
			}
		}
		codec.PCMA.Encode(coded[:], f[:])
		codec.PCMA.Decode(f[:], coded[:])
		ev, ok := d.Write(&f)
		if !ok {
			if i > len(l.x)+60*media.SampleRate {
				l.t.Fatal("no final event within a minute of silence")
			}
			continue
		}
		events = append(events, ev)
		if ev.Final {
			if again, ok := d.Write(&f); ok {
				l.t.Fatalf("%v after the final event", again)
			}
			return events
		}
	}
}

const ms = time.Millisecond

func TestPeopleAndMachines(t *testing.T) {
	t.Parallel()
	long := "Hello, you have reached the office of Biloxi Example. We are sorry that nobody can take your call at the moment. Please leave a message after the tone."
	for name, c := range map[string]struct {
		line func(l *line) *line
		cfg  Config
		want []Result
	}{
		"hello":  {func(l *line) *line { return l.quiet(400*ms).say("en-us+m3", "Hello?", 1) }, twilio(false), []Result{Human}},
		"a name": {func(l *line) *line { return l.quiet(700*ms).say("en-gb+f2", "Alice speaking, hello.", .5) }, twilio(false), []Result{Human}},
		"a quiet hello in noise": {func(l *line) *line {
			return l.quiet(800*ms).say("en-us+f3", "Hello?", .1).quiet(2 * time.Second).noise(-58)
		}, twilio(false), []Result{Human}},
		"a person in a noisy place": {func(l *line) *line {
			return l.quiet(600*ms).say("en-us+m1", "Yes, hello?", 1).quiet(3 * time.Second).noise(-38)
		}, twilio(false), []Result{Human}},
		"hello after a while": {func(l *line) *line { return l.quiet(3500*ms).say("de+m3", "Hallo?", 1) }, twilio(false), []Result{Human}},
		"a machine":           {func(l *line) *line { return l.quiet(500*ms).say("en-us+f2", long, 1) }, twilio(false), []Result{MachineStart}},
		"a machine in noise":  {func(l *line) *line { return l.quiet(500*ms).say("en-us+m2", long, .3).noise(-45) }, twilio(false), []Result{MachineStart}},
		"a machine, then its beep": {func(l *line) *line {
			return l.quiet(500*ms).say("en-us+f2", long, 1).quiet(700*ms).tones(400*ms, 1000).quiet(3 * time.Second)
		},
			twilio(true), []Result{MachineStart, MachineEndBeep}},
		"a dual beep": {func(l *line) *line {
			return l.quiet(500*ms).say("en-us+f2", long, 1).quiet(300*ms).tones(250*ms, 850, 1400).quiet(3 * time.Second)
		},
			twilio(true), []Result{MachineStart, MachineEndBeep}},
		"a machine without a beep": {func(l *line) *line { return l.quiet(500*ms).say("en-us+f2", long, 1).quiet(5 * time.Second) },
			twilio(true), []Result{MachineStart, MachineEndSilence}},
		"only a beep":   {func(l *line) *line { return l.quiet(time.Second).tones(500*ms, 1400).quiet(time.Second) }, twilio(true), []Result{MachineStart, MachineEndBeep}},
		"silence":       {func(l *line) *line { return l.quiet(time.Second) }, twilio(false), []Result{Unknown}},
		"noise":         {func(l *line) *line { return l.quiet(7 * time.Second).noise(-40) }, twilio(false), []Result{Unknown}},
		"a fax calling": {func(l *line) *line { return l.quiet(time.Second).tones(500*ms, 1100).quiet(3 * time.Second) }, twilio(false), []Result{Fax}},
		"a fax answers": {func(l *line) *line { return l.quiet(200*ms).tones(3*time.Second, 2100) }, twilio(true), []Result{Fax}},
		"ringback":      {func(l *line) *line { return l.tones(time.Second, 425).quiet(time.Second).say("de+f3", "Ja, bitte?", 1) }, twilio(false), []Result{Human}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := c.line(&line{t: t}).hear(c.cfg)
			var got []Result
			for _, e := range events {
				got = append(got, e.Result)
				t.Logf("%v at %v: %s", e.Result, e.At, e.Why)
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Fatalf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestBeepIsToldAtItsEnd(t *testing.T) {
	t.Parallel()
	l := (&line{t: t}).quiet(500*ms).say("en-us+m3", "You have reached the mailbox of extension two zero one. Please speak after the tone.", 1).quiet(400*ms).tones(600*ms, 1000)
	end := time.Duration(len(l.x)) * time.Second / media.SampleRate
	events := l.quiet(3 * time.Second).hear(twilio(true))
	last := events[len(events)-1]
	if last.Result != MachineEndBeep || last.At < end-20*ms || last.At > end+300*ms || math.Abs(last.Tone-1000) > 15 {
		t.Fatalf("%+v, the beep of 1,000 Hz ended at %v", last, end)
	}
}

func TestThresholdsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	spoken := func() *line {
		return (&line{t: t}).quiet(500*ms).say("en-us+m3", "Good morning, this is the front desk.", 1)
	}
	length := time.Duration(len(spoken().x))*time.Second/media.SampleRate - 500*ms
	short, tall := twilio(false), twilio(false)
	short.Speech, tall.Speech = length-600*ms, length+200*ms
	if ev := spoken().hear(short); ev[0].Result != MachineStart {
		t.Errorf("speech of about %v with a threshold of %v: %+v", length, short.Speech, ev[0])
	}
	if ev := spoken().hear(tall); ev[0].Result != Human {
		t.Errorf("speech of about %v with a threshold of %v: %+v", length, tall.Speech, ev[0])
	}
	quick := twilio(false)
	quick.SpeechEnd = 500 * ms
	if a, b := spoken().hear(quick)[0], spoken().hear(tall)[0]; a.At >= b.At {
		t.Errorf("a shorter SpeechEnd decided at %v, the longer at %v", a.At, b.At)
	}
	silent := twilio(false)
	silent.Silence = 2 * time.Second
	if ev := (&line{t: t}).hear(silent)[0]; ev.Result != Unknown || ev.At != 2*time.Second {
		t.Errorf("silence: %+v", ev)
	}
	wordy := twilio(false)
	wordy.Speech, wordy.Words = 20*time.Second, 6
	if ev := (&line{t: t}).say("en-us+f2", "Thank you for calling, nobody is here, please try again tomorrow or leave a message.", 1).hear(wordy)[0]; ev.Result != MachineStart {
		t.Errorf("many words: %+v", ev)
	}
	if ev := (&line{t: t}).say("en-us+f2", "Hello there?", 1).hear(wordy)[0]; ev.Result != Human {
		t.Errorf("two words: %+v", ev)
	}
	limit := twilio(false)
	limit.Speech, limit.Timeout = 20*time.Second, 3*time.Second
	if ev := (&line{t: t}).say("en-us+f2", "Thank you for calling, nobody is here, please try again tomorrow or leave a message.", 1).hear(limit)[0]; ev.Result != Unknown || ev.At != 3*time.Second {
		t.Errorf("timeout: %+v", ev)
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	l := (&line{t: t}).tones(20*ms, 440, 620)
	var f media.Frame
	for i := range f {
		f[i] = int16(l.x[i])
	}
	cfg := twilio(true)
	cfg.Silence, cfg.Timeout = time.Hour, time.Hour
	d := New(cfg)
	if n := testing.AllocsPerRun(200, func() { d.Write(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkDetector(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var f media.Frame
	for i := range f {
		f[i] = int16(3000 * r.NormFloat64())
	}
	cfg := twilio(true)
	cfg.Silence, cfg.Timeout = 1<<60, 1<<60
	d := New(cfg)
	b.ReportAllocs()
	for b.Loop() {
		d.Write(&f)
	}
}

// lose puts silence where every n-th frame was, from frame number first on.
func (l *line) lose(first, n int) *line {
	for i := first * media.FrameSamples; i+media.FrameSamples <= len(l.x); i += n * media.FrameSamples {
		clear(l.x[i : i+media.FrameSamples])
	}
	return l
}

// TestABeepWithHoles: a lost packet does not end a beep, which is told once, at its
// true end.
func TestABeepWithHoles(t *testing.T) {
	t.Parallel()
	l := (&line{t: t}).quiet(500*ms).say("en-us+m3", "You have reached the mailbox of extension two zero one. Please speak after the tone.", 1).quiet(400 * ms)
	beep := len(l.x) / media.FrameSamples
	l.tones(time.Second, 1000).lose(beep+7, 12)
	end := time.Duration(len(l.x)) * time.Second / media.SampleRate
	events := l.quiet(3 * time.Second).hear(twilio(true))
	if last := events[len(events)-1]; last.Result != MachineEndBeep || last.At < end-20*ms || last.At > end+300*ms {
		t.Fatalf("%+v, the beep of 1,000 Hz ended at %v", last, end)
	}
}

// TestNotABeep: tones that ask nobody to speak.
func TestNotABeep(t *testing.T) {
	t.Parallel()
	text := "You have reached the office of Biloxi Example. Nobody can take your call at the moment."
	for name, l := range map[string]*line{
		"far softer than the voice": (&line{t: t}).tones(300*ms, 1000).soften(0.01).sayBefore("en-us+m3", text),
		"the network's tones and their echo": (&line{t: t}).quiet(200*ms).tones(330*ms, 950).tones(330*ms, 1400).tones(330*ms, 1800).
			quiet(40*ms).echo(100*ms, 0.1).quiet(300*ms).say("en-us+f2", text, 1),
	} {
		events := l.quiet(4 * time.Second).hear(twilio(true))
		if last := events[len(events)-1]; last.Result != MachineEndSilence {
			t.Errorf("%s: %+v", name, last)
		}
	}
}

// soften makes all there is so far softer.
func (l *line) soften(gain float64) *line {
	for i := range l.x {
		l.x[i] *= gain
	}
	return l
}

// sayBefore puts a spoken text and a short pause before all there is so far.
func (l *line) sayBefore(voice, text string) *line {
	first := (&line{t: l.t}).quiet(500*ms).say(voice, text, 1).quiet(400 * ms)
	l.x = append(first.x, l.x...)
	return l
}

// echo repeats all there is so far, after a time and softer.
func (l *line) echo(after time.Duration, gain float64) *line {
	n := int(after.Seconds() * media.SampleRate)
	l.x = append(l.x, make([]float64, n)...)
	for i := len(l.x) - 1; i >= n; i-- {
		l.x[i] += gain * l.x[i-n]
	}
	return l
}

// TestRingingIsNotSilence: the silence that is bounded begins when the line has
// stopped ringing.
func TestRingingIsNotSilence(t *testing.T) {
	t.Parallel()
	cfg := Config{Timeout: 30 * time.Second, Silence: 5 * time.Second}
	l := (&line{t: t}).tones(time.Second, 425).quiet(2*time.Second).tones(time.Second, 425).quiet(2*time.Second).say("de+f3", "Ja, bitte?", 1)
	if ev := l.quiet(2 * time.Second).hear(cfg)[0]; ev.Result != Human {
		t.Errorf("hello after two rings: %+v", ev)
	}
	if ev := (&line{t: t}).tones(time.Second, 425).hear(cfg)[0]; ev.Result != Unknown || ev.At < 6*time.Second-60*ms || ev.At > 6*time.Second+60*ms {
		t.Errorf("one ring, then nothing: %+v", ev)
	}
}

// TestNobodyIsJudgedDuringABeep: however long the pause before it, what ends with a
// beep is a machine's.
func TestNobodyIsJudgedDuringABeep(t *testing.T) {
	t.Parallel()
	cfg := Config{Timeout: 30 * time.Second, Silence: 5 * time.Second}
	said := (&line{t: t}).quiet(300*ms).say("en-us+m3", "Hello?", 1)
	person := said.hear(cfg)[0]
	if person.Result != Human {
		t.Fatalf("hello: %+v", person)
	}
	said.quiet(person.At-40*ms-time.Duration(len(said.x))*time.Second/media.SampleRate).tones(time.Second, 1000)
	if ev := said.quiet(2 * time.Second).hear(cfg)[0]; ev.Result != MachineStart || math.Abs(ev.Tone) > 0 {
		t.Errorf("a beep that begins 40 ms before the verdict: %+v", ev)
	}
}

// TestJudgeEach: several thresholds at once give what each gives alone.
func TestJudgeEach(t *testing.T) {
	t.Parallel()
	l := (&line{t: t}).quiet(400*ms).say("en-us+m3", "Good morning, this is the front desk, how can I help you?", 1).quiet(2 * time.Second)
	sound := make([]int16, len(l.x))
	for i, v := range l.x {
		sound[i] = int16(max(-32768, min(32767, v)))
	}
	var cfgs []Config
	for _, speech := range []time.Duration{0, 1000 * ms, 2000 * ms, 6000 * ms} {
		for _, end := range []bool{false, true} {
			cfg := twilio(end)
			cfg.Speech = speech
			cfgs = append(cfgs, cfg)
		}
	}
	for i, got := range JudgeEach(cfgs, sound) {
		if want := Judge(cfgs[i], sound); got != want {
			t.Errorf("%+v: %+v, alone %+v", cfgs[i], got, want)
		}
	}
}
