package amd

import "math"

// Limits of the voice meter, in frames of 20 ms.
const (
	onsetFrames  = 4 // of the last onsetWindow frames, these many must sound …
	onsetVoiced  = 3 // … and these many have a pitch, for a voice to begin
	onsetWindow  = 6
	hangover     = 4    // frames without sound that still belong to a voice
	syllableDip  = 4.0  // dB between two syllables
	background   = 20.0 // dB below the voice a sound is somebody else's
	foreground   = 14.0 // dB above what was taken for the voice, the voice begins anew
	settle       = 25   // frames in which a voice finds its loudness
	perWord      = 1.5  // syllables of a word, about that of English and Spanish
	pauseFrames  = 10   // without voice are a pause
	partFrames   = 15   // without voice end the first thing said
	forgetVoiced = 15   // a sound this long after the last pitch is not the voice's
)

// voice joins frames to speech: when it began, when it was last heard, how many
// syllables it had. Times count frames from the answer.
type voice struct {
	talked       int // frame of the last sound as loud as the voice
	began, last  int // frame of the first and last sound of the utterance; began -1 before any
	syllables    int
	frames       int // that belong to the voice and sound
	voiced       int // of them, with a pitch
	since        int // frame at which the speech began that goes on
	longest      int // frames of the longest speech that is over
	first        int // frames of the first speech, 0 while it goes on
	pauses       int
	longPause    int     // frames
	sum, squares float64 // of the level of frames

	history    uint8   // active, one bit a frame
	pitches    uint8   // voiced
	sinceVoice int     // frames since the last pitch
	recent     float64 // dBov, level of the last frames
	loud       float64 // dBov, loudest of recent
	past       float64 // dBov, what loud was up to half a second ago
	peak, dip  float64
}

func newVoice() voice {
	return voice{began: -1, last: -1, sinceVoice: forgetVoiced, peak: silence, dip: silence, recent: silence, loud: silence, past: silence}
}

// frame takes what frame number n holds and reports whether the voice sounds.
func (v *voice) frame(n int, s sound) bool {
	talks := s.active && !s.tone && !s.whistles() && s.level > v.loud-background
	if v.recent += 0.35 * (max(s.level, s.floor) - v.recent); talks && s.voiced && v.recent > v.loud {
		if v.began >= 0 && v.past > silence && v.recent > v.past+foreground {
			v.restart()
		}
		v.loud = v.recent
	}
	if n%settle == 0 && v.began >= 0 {
		v.past = v.loud
	}
	if talks {
		v.talked = n
	}
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
		v.talk(n, s)
	}
	return true
}

// restart forgets what was taken for the voice: it was somebody in the background,
// or music, before the one who answers spoke.
func (v *voice) restart() {
	fresh := newVoice()
	fresh.history, fresh.pitches, fresh.sinceVoice = v.history, v.pitches, v.sinceVoice
	fresh.recent, fresh.loud = v.recent, v.recent
	*v = fresh
}

// talk takes frame n, in which the voice sounds.
func (v *voice) talk(n int, s sound) {
	switch pause := n - v.last - 1; {
	case v.last < 0:
		v.since = v.began
	case pause >= pauseFrames:
		speech := v.last + 1 - v.since
		v.longest = max(v.longest, speech)
		v.pauses++
		v.longPause = max(v.longPause, pause)
		v.since = n
		if v.first == 0 && pause >= partFrames {
			v.first = v.last + 1 - v.began
		}
	}
	v.last = n
	v.frames++
	v.voiced += int(bit(s.voiced))
	v.sum += s.level
	v.squares += s.level * s.level
	v.syllable(s)
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
	driftMost   = 0.012 // of the frequency, within one tone
	driftLeast  = 10.0  // Hz
	toneMisses  = 5     // frames of a tone that may get lost: one packet spoils three
	otherTone   = 3     // misses that a frame of another tone counts for
	ringFrames  = 15    // of a tone that may be the network's ringing
	briefFrames = 7     // a tone of fewer frames …
	lowTone     = 600   // … or below so many Hz may be a vowel or music …
	briefTone   = 10    // frames, and a tone that does not set in out of quiet may be a vowel
	briefPure   = 0.96  // … unless so much of it is in its lines
	levelMost   = 3.0   // dB, within one tone but for its ends
	callTone    = 510   // Hz: below, a tone before any voice may be ringback of the line
	hootTone    = 600   // Hz: below, a tone may be a car's horn …
	hornRatio   = 1.28  // … whose two are a third apart …
	purest      = 0.97  // … and nothing is as pure as a machine's
	heldFrames  = 2     // of a tone have sounded, and with
	heldShare   = 0.5   // of the energy at its frequencies, and a tone goes on …
	ownShare    = 0.85  // … and there is no voice in it …
	heldMost    = 6.0   // … at most so many dB louder …
	heldLeast   = 13.0  // … or softer: two packets in a row were lost
)

// tones joins frames to tones.
type tones struct {
	began    int // frame
	frames   int // of the tone that sounds
	misses   int
	hz       [2]float64
	level    float64
	pure     float64 // sum over the frames that were whole
	heard    int     // those frames
	ended    int     // frame after the last tone as long as a ring, 0 without one
	fax      int     // frames of CNG or CED in a row
	faxName  string
	sit      int  // of the three tones of SIT, up to which they were heard in order
	sitHeard int  // how many of those
	sitAt    int  // frame at which the last of them ended
	takes    bool // the last frame was the tone's, and hardly anything else was in it
	held     beep // the first of them, until it is clear that no second follows
}

// beep is a tone that is over.
type beep struct {
	began, frames int
	hz            [2]float64 // of its lines, the lower first; 0 when there is one
	level         float64    // dBov
	pure          float64    // share of the energy that was in its lines
}

// hoots reports whether it may be a car: low, and the two horns of one are a third apart.
func (b beep) hoots() bool {
	return b.hz[0] < hootTone && (b.hz[1] > 0 && b.hz[1] < hornRatio*b.hz[0] || b.pure < purest)
}

// brief reports whether it may be a vowel where no quiet was before it.
func (b beep) brief() bool { return b.hz[0] < lowTone || b.frames < briefTone }

// frame takes what frame n holds, which a measured, and whether somebody has spoken; ok
// reports that a beep has just ended.
func (t *tones) frame(n int, s sound, a *analyser, spoken bool) (b beep, ok bool) {
	t.hearFax(s)
	t.takes = false
	var share float64
	if t.frames >= heldFrames && s.active && s.level < t.level+heldMost && s.level > t.level-heldLeast {
		share = a.held(t.hz)
		t.takes = share >= ownShare
	}
	switch {
	case s.active && s.tone && t.same(s):
		if t.frames == 0 {
			t.began, t.hz, t.level = n, s.hz, s.level
			t.pure, t.heard = 0, 0
		}
		t.pure += s.pure
		t.heard++
		t.frames += 1 + t.misses
		t.misses = 0
		return beep{}, false
	case share >= heldShare:
		t.pure += min(1, share)
		t.heard++
		t.frames += 1 + t.misses
		t.misses = 0
		return beep{}, false
	}
	if t.frames == 0 {
		if t.held.frames > 0 && n > t.sitAt+sitGap {
			b, t.held = t.held, beep{}
			return b, true
		}
		return beep{}, false
	}
	if t.misses++; s.active && s.tone {
		t.misses += otherTone - 1
	}
	if t.misses <= toneMisses {
		return beep{}, false
	}
	b = beep{began: t.began, frames: t.frames, hz: t.hz, level: t.level, pure: t.pure / float64(t.heard)}
	t.frames, t.misses = 0, 0
	if b.frames >= ringFrames {
		t.ended = b.began + b.frames
	}
	if t.echoes(b) {
		return beep{}, false
	}
	if !spoken && t.hearSIT(b) {
		t.held = beep{}
		if t.sitHeard == 1 {
			t.held = b
		}
		return beep{}, false
	}
	// The window smears a tone over its neighbours by up to a frame; a tone of
	// 80 ms is whole in at least three.
	ok = b.frames >= beepLeast/20-1 && b.frames <= beepMost*framesPerSecond && b.hz[0] >= beepLowest && b.hz[0] <= beepHighest &&
		(b.frames >= briefFrames && b.hz[0] >= lowTone || b.pure >= briefPure)
	return b, ok
}

// sounds reports whether a tone sounds that may become a beep.
func (t *tones) sounds() bool { return t.frames > 0 && t.frames <= beepMost*framesPerSecond }

// same reports whether s goes on with the tone that sounds, or begins one.
func (t *tones) same(s sound) bool {
	if t.frames == 0 {
		return true
	}
	for i := range s.hz {
		if math.Abs(s.hz[i]-t.hz[i]) > max(driftLeast, driftMost*t.hz[i]) {
			return false
		}
	}
	return math.Abs(s.level-t.level) < levelMost+6*bitf(t.frames < 2)
}

// sitTones are the special information tones in Hz, each of 330 ms ± 20 % (ITU-T
// E.180 §8); North America's go down to 914 and 985, 1,371 and 1,428, 1,777 and are
// as short as 276 ms (Telcordia SR-504).
var sitTones = [3]float64{950, 1400, 1777}

// Between two of them is a pause of at most sitGap frames, and each is within
// sitDrift Hz.
const (
	sitGap   = 8
	sitDrift = 60
)

// sitEcho is how long after one of them its echo may still be heard, in frames.
const sitEcho = 25

// echoes reports whether a tone that is over only echoes one of the three.
func (t *tones) echoes(b beep) bool {
	return t.sit > 0 && b.began-t.sitAt <= sitEcho && math.Abs(b.hz[0]-sitTones[t.sit-1]) < sitDrift
}

// hearSIT takes a tone that is over and reports whether it was one of the three. One
// that got lost may be missing.
func (t *tones) hearSIT(b beep) bool {
	if t.sit > 0 && b.began-t.sitAt > sitGap {
		t.sit, t.sitHeard = 0, 0
	}
	for i, hz := range sitTones {
		if math.Abs(b.hz[0]-hz) >= sitDrift || b.frames < 9 || b.frames > 24 {
			continue
		}
		if i < t.sit {
			t.sitHeard = 0
		}
		t.sit, t.sitAt = i+1, b.began+b.frames
		t.sitHeard++
		return true
	}
	t.sit, t.sitHeard = 0, 0
	return false
}

// announces reports whether the network's three tones were heard, or at least the last
// and one before.
func (t *tones) announces() bool { return t.sit == len(sitTones) && t.sitHeard > 1 }

func bitf(b bool) float64 { return float64(bit(b)) }

// faxMiss is how many frames of a fax tone a frame without it undoes: ANSam turns
// its phase every 450 ms, and packets are lost.
const faxMiss = 2

// hearFax listens for the tones of ITU-T T.30: CNG, 1,100 ± 38 Hz for 0.5 s, and
// CED, 2,100 ± 15 Hz for 2.6 s and more (ANSam with it, V.8).
func (t *tones) hearFax(s sound) {
	name := ""
	if s.active && s.tone && s.hz[1] == 0 {
		name = faxTone(s.hz[0], 0)
	}
	switch {
	case name == "":
		t.fax = max(0, t.fax-faxMiss)
	case name != t.faxName:
		t.fax, t.faxName = 1, name
	default:
		t.fax++
	}
}

// faxTone is the name of a fax tone of that frequency, within so many Hz more than the
// recommendations allow; empty for others.
func faxTone(hz, more float64) string {
	switch {
	case math.Abs(hz-1100) <= 38+5+more:
		return "CNG"
	case math.Abs(hz-2100) <= 15+10+more:
		return "CED"
	}
	return ""
}

// isFax reports whether the far end is a fax: half a second of CNG is 24 frames,
// CED sounds on.
func (t *tones) isFax() bool {
	return t.faxName == "CNG" && t.fax >= 20 || t.faxName == "CED" && t.fax >= 45
}
