package amd

import "math"

// Limits of the voice meter, in frames of 20 ms.
const (
	onsetFrames  = 4 // of the last onsetWindow frames, these many must sound …
	onsetVoiced  = 3 // … and these many have a pitch, for a voice to begin
	onsetWindow  = 6
	hangover     = 4   // frames without sound that still belong to a voice
	syllableDip  = 4.0 // dB between two syllables
	perWord      = 1.5 // syllables of a word, about that of English and Spanish
	forgetVoiced = 15  // a sound this long after the last pitch is not the voice's
)

// voice joins frames to speech: when it began, when it was last heard, how many
// syllables it had. Times count frames from the answer.
type voice struct {
	began, last int // frame of the first and last sound of the utterance; began -1 before any
	syllables   int

	history    uint8 // active, one bit a frame
	pitches    uint8 // voiced
	sinceVoice int   // frames since the last pitch
	peak, dip  float64
}

func newVoice() voice {
	return voice{began: -1, last: -1, sinceVoice: forgetVoiced, peak: silence, dip: silence}
}

// frame takes what frame number n holds and reports whether the voice sounds.
func (v *voice) frame(n int, s sound) bool {
	talks := s.active && !s.tone
	v.history = v.history<<1 | bit(talks)
	v.pitches = v.pitches<<1 | bit(talks && s.voiced)
	if talks && s.voiced {
		v.sinceVoice = 0
	} else {
		v.sinceVoice++
	}
	const recent = 1<<onsetWindow - 1
	begins := ones(v.history&recent) >= onsetFrames && ones(v.pitches&recent) >= onsetVoiced
	goes := v.last >= 0 && talks && v.sinceVoice < forgetVoiced && n-v.last <= hangover
	if !begins && !goes {
		return false
	}
	if v.began < 0 {
		v.began = n - onsetWindow + 1
		for b := uint8(1 << (onsetWindow - 1)); b != 0 && v.history&b == 0; b >>= 1 {
			v.began++
		}
		v.began = max(v.began, 0)
	}
	if talks {
		v.last = n
		v.syllable(s)
	}
	return true
}

// syllable counts the peaks of the level: a syllable is a rise of syllableDip
// after a fall of syllableDip.
func (v *voice) syllable(s sound) {
	switch {
	case s.level > v.peak:
		v.peak, v.dip = s.level, s.level
		if v.syllables == 0 {
			v.syllables = 1
		}
	case s.level < v.dip:
		v.dip = s.level
	case s.voiced && v.dip < v.peak-syllableDip && s.level > v.dip+syllableDip:
		v.syllables++
		v.peak, v.dip = s.level, s.level
	}
}

// words is about how many words were said.
func (v *voice) words() int { return int(math.Ceil(float64(v.syllables) / perWord)) }

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func ones(b uint8) (n int) {
	for ; b != 0; b &= b - 1 {
		n++
	}
	return n
}

// Limits of the tone meter.
const (
	beepLeast   = 80  // ms
	beepMost    = 2   // s
	beepLowest  = 350 // Hz
	beepHighest = 2600
	driftMost   = 0.02 // of the frequency, within one tone
	levelMost   = 4.0  // dB, within one tone but for its ends
	callTone    = 510  // Hz: below, a tone before any voice may be ringback of the line
)

// tones joins frames to tones.
type tones struct {
	began   int // frame
	frames  int // of the tone that sounds
	misses  int
	hz      [2]float64
	level   float64
	fax     int // frames of CNG or CED in a row
	faxName string
}

// beep is a tone that is over.
type beep struct {
	began, frames int
	hz            float64
}

// frame takes what frame n holds; ok reports that a beep has just ended.
func (t *tones) frame(n int, s sound) (b beep, ok bool) {
	t.hearFax(s)
	if s.active && s.tone && t.same(s) {
		if t.frames == 0 {
			t.began, t.hz, t.level = n, s.hz, s.level
		}
		t.frames += 1 + t.misses
		t.misses = 0
		return beep{}, false
	}
	if t.frames == 0 {
		return beep{}, false
	}
	if t.misses++; t.misses < 2 {
		return beep{}, false
	}
	b = beep{began: t.began, frames: t.frames, hz: t.hz[0]}
	t.frames, t.misses = 0, 0
	// The window smears a tone over its neighbours by up to a frame; a tone of
	// 80 ms is whole in at least three.
	ok = b.frames >= beepLeast/20-1 && b.frames <= beepMost*50 && b.hz >= beepLowest && b.hz <= beepHighest
	return b, ok
}

// same reports whether s goes on with the tone that sounds, or begins one.
func (t *tones) same(s sound) bool {
	if t.frames == 0 {
		return true
	}
	for i := range s.hz {
		if math.Abs(s.hz[i]-t.hz[i]) > max(15, driftMost*t.hz[i]) {
			return false
		}
	}
	return math.Abs(s.level-t.level) < levelMost+6*bitf(t.frames < 2)
}

func bitf(b bool) float64 { return float64(bit(b)) }

// hearFax listens for the tones of ITU-T T.30: CNG, 1,100 ± 38 Hz for 0.5 s, and
// CED, 2,100 ± 15 Hz for 2.6 s and more (ANSam with it, V.8).
func (t *tones) hearFax(s sound) {
	name := ""
	if s.active && s.tone && s.hz[1] == 0 {
		switch hz := s.hz[0]; {
		case math.Abs(hz-1100) <= 38+5:
			name = "CNG"
		case math.Abs(hz-2100) <= 15+10:
			name = "CED"
		}
	}
	if name == "" || name != t.faxName {
		t.fax = 0
	}
	if t.faxName = name; name != "" {
		t.fax++
	}
}

// isFax reports whether the far end is a fax: half a second of CNG is 24 frames,
// CED sounds on.
func (t *tones) isFax() bool {
	return t.faxName == "CNG" && t.fax >= 22 || t.faxName == "CED" && t.fax >= 50
}
