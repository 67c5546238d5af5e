package amd

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"callbox/media"
)

// vocoded adds what a vocoder makes of a tone: pulses at a pitch that is nobody's and
// trembles, through a resonance at hz.
func (l *line) vocoded(d time.Duration, hz float64) *line {
	r := rand.New(rand.NewPCG(3, 4))
	const radius = 0.96
	turn := 2 * radius * math.Cos(2*math.Pi*hz/media.SampleRate)
	var y1, y2 float64
	next := 0
	for i := range int(d.Seconds() * media.SampleRate) {
		x := 0.0
		if i == next {
			x = 6000
			next += 70 + r.IntN(5)
		}
		y := x + turn*y1 - radius*radius*y2
		y1, y2 = y, y1
		l.x = append(l.x, y)
	}
	return l
}

// TestAVocodersBeep: what a vocoder makes of a beep is none of the pure tones, and ends
// a greeting all the same.
func TestAVocodersBeep(t *testing.T) {
	t.Parallel()
	const mailbox = "You have reached the mailbox of extension two zero one. Please speak after the tone."
	l := (&line{t: t}).quiet(500*ms).say("en-us+m3", mailbox, 1).quiet(400*ms).vocoded(600*ms, 1000)
	end := time.Duration(len(l.x)) * time.Second / media.SampleRate
	events := l.quiet(3 * time.Second).hear(Config{MessageEnd: true, Timeout: 30 * time.Second, Silence: 5 * time.Second})
	if last := events[len(events)-1]; last.Result != MachineEndBeep || last.At < end-20*ms || last.At > end+300*ms || math.Abs(last.Tone-1000) > 150 {
		t.Errorf("%+v, the beep ended at %v", last, end)
	}
}

// wobble makes the level of what follows from sample from on tremble, as a low-rate
// codec does.
func (l *line) wobble(from int) *line {
	r := rand.New(rand.NewPCG(5, 6))
	gain := 1.0
	for i := from; i < len(l.x); i++ {
		if i%media.FrameSamples == 0 {
			gain = math.Pow(10, (8*r.Float64()-4)/20)
		}
		l.x[i] *= gain
	}
	return l
}

// TestARoughBeepIsTold: at its true end, and once, however its level trembles and
// whichever packets of it were lost.
func TestARoughBeepIsTold(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*line, int) *line{
		"its level trembles":        func(l *line, from int) *line { return l.wobble(from) },
		"three packets in a row":    func(l *line, from int) *line { return l.halve(from+20*media.FrameSamples, 3) },
		"one packet, and trembling": func(l *line, from int) *line { return l.wobble(from).halve(from+9*media.FrameSamples, 1) },
	} {
		l := (&line{t: t}).quiet(500*ms).say("en-us+m3", "You have reached the mailbox of extension two zero one.", 1).quiet(400 * ms)
		from := len(l.x)
		spoil(l.tones(time.Second, 1740), from)
		end := time.Duration(len(l.x)) * time.Second / media.SampleRate
		events := l.quiet(3 * time.Second).hear(twilio(true))
		if last := events[len(events)-1]; last.Result != MachineEndBeep || last.At < end-20*ms || last.At > end+300*ms {
			t.Errorf("%s: %+v, the beep ended at %v", name, last, end)
		}
	}
}

// halve has n frames be what was before them, softer and softer: how a lost packet is
// concealed.
func (l *line) halve(from, n int) *line {
	for i := from; i < from+n*media.FrameSamples; i++ {
		l.x[i] = l.x[i-media.FrameSamples] / 2
	}
	return l
}

// TestALowBeepTells: a machine of few words with a low, brief beep is not taken for a
// person; the horn of a car behind a person is no beep.
func TestALowBeepTells(t *testing.T) {
	t.Parallel()
	cfg := Config{Timeout: 30 * time.Second, Silence: 5 * time.Second}
	for name, want := range map[string]Result{"a beep": MachineStart, "a horn": Human} {
		l := (&line{t: t}).quiet(500*ms).say("en-us+m3", "Leave a message.", 1)
		if name == "a beep" {
			l.quiet(300*ms).tones(120*ms, 440)
		} else {
			l = (&line{t: t}).quiet(500*ms).say("en-us+m3", "Hello?", 1).quiet(200*ms).tones(400*ms, 400, 500)
		}
		if ev := l.quiet(3 * time.Second).hear(cfg)[0]; ev.Result != want {
			t.Errorf("%s: %+v", name, ev)
		}
	}
}

// TestALostToneOfTheNetwork: two of the three tones of an announcement are enough.
func TestALostToneOfTheNetwork(t *testing.T) {
	t.Parallel()
	const text = "The number you have dialled is not in service."
	for lost := range 3 {
		l := (&line{t: t}).quiet(200 * ms)
		for i, hz := range sitTones {
			if i == lost {
				l.quiet(140 * ms)
				continue
			}
			l.tones(330*ms, hz)
		}
		events := l.quiet(400*ms).say("en-us+f2", text, 1).quiet(3 * time.Second).hear(twilio(true))
		if last := events[len(events)-1]; last.Result == MachineEndBeep {
			t.Errorf("without the tone of %.0f Hz: %+v", sitTones[lost], last)
		}
	}
}

// TestWhoHangsUpIsNoMachine: the tone by which an exchange tells that the other end has
// hung up is no beep.
func TestWhoHangsUpIsNoMachine(t *testing.T) {
	t.Parallel()
	for name, hz := range map[string][]float64{"US": {480, 620}, "DE": {425}, "GB": {400}} {
		for _, messageEnd := range []bool{false, true} {
			l := (&line{t: t}).quiet(500*ms).say("en-us+m3", "Hello?", 1).quiet(200 * ms)
			for range 3 {
				l.tones(480*ms, hz...).quiet(480 * ms)
			}
			events := l.hear(Config{MessageEnd: messageEnd, Timeout: 30 * time.Second, Silence: 5 * time.Second})
			if last := events[len(events)-1]; last.Result != Human {
				t.Errorf("%s: %+v", name, last)
			}
		}
	}
}
