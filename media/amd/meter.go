package amd

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"callbox/media"
)

// Feature numbers of [Features].
const (
	Span        = iota // s from the first to the last voice
	Quiet              // s since the last voice
	Talked             // s of voice in all
	LongPause          // s, the longest pause between voices
	Pauses             // how many pauses of 0.2 s and more
	LongSpeech         // s, the longest speech without a pause of 0.2 s
	FirstSpeech        // s of speech before the first pause of 0.3 s
	LastSpeech         // s of speech since the last pause of 0.2 s
	Syllables          // of all speech
	Tempo              // syllables per second of voice
	Standing           // dB of the voice above the noise
	Swing              // dB, standard deviation of the voice's level
	Pitched            // share of the voice's frames that have a pitch
	Steady             // share of the frames since the first voice that sound
	NumFeatures
)

// FeatureNames are what the features are called in reports, with their units.
var FeatureNames = [NumFeatures]string{
	"span s", "quiet s", "talked s", "longest pause s", "pauses", "longest speech s", "first speech s",
	"last speech s", "syllables", "syllables/s", "above noise dB", "level swing dB", "pitched share", "sounding share",
}

// Features are what the decision is made from, see the constants.
type Features [NumFeatures]float32

// Meter measures a call's far end, without deciding anything. It belongs to one
// goroutine, does not allocate and is about 8 kB large.
type Meter struct {
	analyser *analyser
	voice    voice
	tones    tones
	n        int // frames heard
	sounding int // frames since the first voice that sounded
	sounds   byte
	beepAt   int // frame after the last beep, 0 without one
	beep     beep
	burst    burst
	blurred  blurred
}

// blurred is what a vocoder may have made of a beep.
type blurred struct {
	at   int // frame after the last one, 0 without one
	hz   float64
	sure bool // nobody's voice is like it
}

// NewMeter makes a meter for a call that has just been answered.
func NewMeter() *Meter { return &Meter{analyser: newAnalyser(), voice: newVoice(), burst: newBurst()} }

// Write takes the next 20 ms.
func (m *Meter) Write(f *media.Frame) {
	s := m.analyser.frame(f)
	n := m.n
	m.n++
	m.sounds = '.'
	if s.active {
		m.sounds = '~'
	}
	b, beeped := m.tones.frame(n, s, m.analyser, m.spoken())
	s.tone = s.tone || m.tones.takes
	if m.voice.frame(n, s) {
		m.sounds = '#'
	}
	if m.voice.began >= 0 && s.active {
		m.sounding++
	}
	if s.active && s.tone {
		m.sounds = 'T'
	}
	if beeped && !m.lineTone(b) && (!b.brief() || m.burst.sets(b.began)) {
		m.beepAt, m.beep = n, b
	}
	if m.burst.frame(n, s, m.analyser) && m.spoken() && m.asks(&m.burst) {
		m.blurred = blurred{at: n, hz: m.burst.hz, sure: m.burst.surely()}
	}
}

// asks reports whether a burst that is over is likely a beep that was not told of yet:
// behind the voice, and not far softer. What the tone meter may yet tell is left to it.
func (m *Meter) asks(b *burst) bool {
	return b.isBeep() && m.tones.frames < beepLeast/20 && b.began > m.voice.began && b.level > m.voice.loud-farBelow && m.beepAt <= b.began
}

// Sounds tells what the last frame was: '#' voice, 'T' a tone, '~' another sound,
// '.' silence.
func (m *Meter) Sounds() byte { return m.sounds }

// nearFax is how many Hz from a fax's tone a tone may be that only loss has made short.
const nearFax = 40

// farBelow is how many dB below a voice a tone is not of the same machine's.
const farBelow = 22

// spokenFrames of voice are somebody's; fewer may be what losses make of a tone.
const spokenFrames = 10

func (m *Meter) spoken() bool { return m.voice.frames >= spokenFrames }

// lineTone reports whether a tone is more likely the network's, or a street's, than a
// machine's: a low one before any voice, such as ringback, or a fax's; or one far
// softer than the voice.
func (m *Meter) lineTone(b beep) bool {
	if m.spoken() {
		return b.level < m.voice.loud-farBelow
	}
	return b.hz[0] < callTone || faxTone(b.hz[0], nearFax) != ""
}

// ofNetwork reports whether a tone is one with which networks say that the other end
// has hung up, or is busy: 425 Hz in most countries, 400 Hz in Britain and Japan, 480 and
// 620 Hz in North America (ITU-T E.180, Supplement 2).
func (b beep) ofNetwork() bool {
	near := func(hz, want, within float64) bool { return math.Abs(hz-want) <= within }
	if b.hz[1] == 0 { // a machine's own beep may be close
		return b.frames >= ringFrames/2 && (near(b.hz[0], 425, 1.5) || near(b.hz[0], 400, 1.5))
	}
	return near(b.hz[0], 480, 5) && near(b.hz[1], 620, 5)
}

// TonesTell reports whether tones tell that a machine answered: those of an
// announcement, or a beep. Cars hoot low while a person has only said hello.
func (m *Meter) TonesTell() bool {
	if m.tones.announces() {
		return true
	}
	return m.beepAt > 0 && (!m.beep.hoots() || m.voice.last-m.voice.began >= framesPerSecond)
}

// toneWords says which.
func (m *Meter) toneWords() string {
	if m.tones.announces() {
		return "the network's three tones (SIT)"
	}
	return fmt.Sprintf("a beep of %.0f Hz", m.beep.hz[0])
}

// ToneSounds reports whether a tone sounds that may become a beep: then it is better
// to wait for its end.
func (m *Meter) ToneSounds() bool { return m.tones.sounds() }

// Now is the time from the answer.
func (m *Meter) Now() time.Duration { return span(0, m.n) }

// Features gives what was measured; ok is false before the first voice.
func (m *Meter) Features() (x Features, ok bool) {
	v := &m.voice
	if v.began < 0 {
		return x, false
	}
	sec := func(frames int) float32 { return float32(frames) / framesPerSecond }
	last := v.last + 1 - v.since
	x[Span] = sec(v.last + 1 - v.began)
	x[Quiet] = sec(m.n - v.last - 1)
	x[Talked] = sec(v.frames)
	x[LongPause] = sec(v.longPause)
	x[Pauses] = float32(v.pauses)
	x[LongSpeech] = sec(max(v.longest, last))
	x[FirstSpeech] = sec(v.first)
	if v.first == 0 {
		x[FirstSpeech] = x[Span]
	}
	x[LastSpeech] = sec(last)
	x[Syllables] = float32(v.syllables)
	if v.frames > 0 {
		k := float64(v.frames)
		mean := v.sum / k
		x[Tempo] = float32(v.syllables) / x[Talked]
		x[Standing] = float32(mean - m.analyser.floor)
		x[Swing] = float32(math.Sqrt(max(0, v.squares/k-mean*mean)))
		x[Pitched] = float32(v.voiced) / float32(v.frames)
	}
	x[Steady] = float32(m.sounding) / float32(m.n-v.began)
	return x, true
}

const framesPerSecond = media.SampleRate / media.FrameSamples

// StateSize is how many bytes the measuring of a call keeps.
const StateSize = int(unsafe.Sizeof(Meter{}) + unsafe.Sizeof(analyser{}))
