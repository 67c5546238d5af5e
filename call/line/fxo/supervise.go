package fxo

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/hal"
	"callbox/media"
	"callbox/media/tone"
)

// sign is what the supervision makes of the line.
type sign int

const (
	noSign    sign = iota
	rings          // the far phone rings
	answers        // the far end has answered
	busy           // the called number is in use
	congested      // there is no way to it
	unknown        // an announcement says that the call cannot be completed
	untaken        // the exchange did not take the number
	hungUp         // the far end has gone
)

// Times of the supervision, in samples.
const (
	settle      = media.SampleRate * 6 / 10 // after dialling the battery may turn without a meaning
	dialLinger  = 3 * media.SampleRate      // dial tone so long after dialling
	dialSteady  = 125                       // frames of it without a break: longer than any ringback tone
	loopWait    = 2 * media.SampleRate      // of silence that make a break of the loop a hang-up
	answerHush  = 2 * media.SampleRate      // after an answer the battery may turn late
	turnWait    = media.SampleRate / 2      // without ringback that make a turn an answer
	turnSlack   = media.SampleRate / 4      // by which the report is ahead of the sound
	flashWait   = 30 * media.SampleRate     // after a flash somebody dials
	portWait    = 6 * media.SampleRate      // of silence that make a busy tone of the port one
	awayExtra   = media.SampleRate          // beyond the longest pause of the ringback tone
	voiceFloor  = -42.0                     // dBm0
	voiceFrames = 10                        // in which half of voice is somebody who speaks: 200 ms
	keyFrames   = 4                         // until a key is recognised, and one
	pureGain    = 0.003                     // share that a predictor leaves of a sound without voice
)

// judgement is a sign with the reason for people.
type judgement struct {
	sign sign
	why  string
}

// supervisor makes signs of what the line says. The sound goroutine gives it frames,
// the line's goroutine the port's reports.
type supervisor struct {
	cfg     Config
	country tone.Country

	mu       sync.Mutex // guards what follows
	detector *tone.Detector
	tones    *tone.Probe // all tones of the country
	ringback *tone.Probe
	dial     *tone.Probe
	dialRun  int // frames of dial tone without a break
	talking  bool
	n        int64 // samples since the line was connected
	since    int64 // sample at which talking began
	rang     bool  // told
	rhythm   rhythm
	lastRing int64 // last sample of the ringback tone; 0: none yet
	voices   [100]bool
	frames   [100]media.Frame // the sound of the last 2 s, kept until the answer
	voiceAt  int
	words    []int16 // what was said up to the answer
	told     int64   // last sample at which the box said something
	lastSaid int64   // last sample of voice from the line, or of any sound
	loop     int64   // when the loop broke; 0: it did not, or it meant nothing
	flash    int64   // until then dial tone and the loop mean nothing
	port     int64   // when the port reported a tone of the end
	portSaid string
}

func newSupervisor(c Config, country tone.Country) *supervisor {
	s := &supervisor{cfg: c, country: country}
	s.tones = tone.NewProbe(country.Dial, country.Ringback, country.Busy, country.Congestion, country.Information)
	s.ringback, s.dial = tone.NewProbe(country.Ringback), tone.NewProbe(country.Dial)
	return s
}

// begin is called when the line is connected: answered says that it is a call that
// came in.
func (s *supervisor) begin(answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detector = tone.NewDetector(s.country)
	s.rhythm = rhythm{want: s.country.Ringback}
	s.flash, s.talking, s.n, s.since, s.rang, s.lastRing, s.told, s.lastSaid, s.loop, s.port = 0, answered, 0, 0, false, 0, 0, 0, 0, 0
	s.voices, s.voiceAt, s.words = [len(s.voices)]bool{}, 0, nil
}

// answered moves on to talking and reports whether somebody has spoken before.
func (s *supervisor) answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = s.firstWords()
	s.talking, s.since, s.loop, s.port = true, s.n, 0, 0
	s.voices = [len(s.voices)]bool{}
	s.detector = tone.NewDetector(s.country)
	s.lastSaid = s.n
	return len(s.words) > 0
}

// firstWords is the sound since the first voice after the ringback tone. A frame of
// voice by itself is what the end of a tone looks like.
func (s *supervisor) firstWords() (words []int16) {
	n := min(len(s.frames), int((s.n-s.lastRing)/media.FrameSamples))
	if s.lastRing > 0 {
		n -= tailFrames / 2
	}
	for i, run := n-1, 0; i >= 0; i-- {
		at := (s.voiceAt - 1 - i + 2*len(s.frames)) % len(s.frames)
		switch {
		case len(words) == 0 && !s.voices[at]:
			run = 0
			continue
		case len(words) == 0:
			if run++; run < wordFrames {
				continue
			}
			i += run - 1 // from the first of them on
			at = (s.voiceAt - 1 - i + 2*len(s.frames)) % len(s.frames)
		}
		words = append(words, s.frames[at][:]...)
	}
	return words
}

// overheard is what was said up to the answer.
func (s *supervisor) overheard() []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.words)
}

// flashed notes that the exchange was asked for something: dial tone is no end now.
func (s *supervisor) flashed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flash, s.loop, s.port = s.n+flashWait, 0, 0
}

// speaks notes that the box says something.
func (s *supervisor) speaks(f *media.Frame) {
	if media.DBm0(f[:]) < voiceFloor {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = s.n
}

// hears takes 20 ms of the line.
func (s *supervisor) hears(f *media.Frame) judgement {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n += media.FrameSamples
	loud := media.DBm0(f[:]) >= voiceFloor
	isTone := loud && s.tones.Has(f)
	voice := loud && !isTone && !pure(f)
	s.voices[s.voiceAt], s.frames[s.voiceAt] = voice, *f
	s.voiceAt = (s.voiceAt + 1) % len(s.voices)
	if loud {
		s.lastSaid = s.n
	}
	kind := s.detector.WriteFrame(f)
	if s.talking {
		return s.talk(kind)
	}
	if s.dialRun++; !loud || !s.dial.Has(f) {
		s.dialRun = 0
	}
	ringing := loud && s.ringback.Has(f)
	if ringing {
		s.lastRing = s.n
	}
	return s.call(kind, s.rhythm.next(ringing))
}

// spoken is how many of the last n frames were voice.
func (s *supervisor) spoken(n int) (sum int) {
	for i := range n {
		if s.voices[(s.voiceAt-1-i+2*len(s.voices))%len(s.voices)] {
			sum++
		}
	}
	return sum
}

// keyed notes that the last frame belongs to a key, which is no voice in a call; nor were
// those before it, until the key was recognised.
func (s *supervisor) keyed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range keyFrames {
		if s.talking {
			s.voices[(s.voiceAt-1-i+len(s.voices))%len(s.voices)] = false
		}
	}
}

// voiced reports whether somebody at the line's other end speaks now, and not the box,
// whose echo may be left.
func (s *supervisor) voiced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	box := s.told > 0 && s.n-s.told < voiceFrames*media.FrameSamples
	return !box && s.spoken(voiceFrames) >= voiceFrames/2
}

// call judges a call that is not answered.
func (s *supervisor) call(kind tone.Kind, ringing bool) judgement {
	switch kind {
	case tone.BusyTone:
		return judgement{busy, "the exchange plays busy tone"}
	case tone.CongestionTone:
		return judgement{congested, "the exchange plays congestion tone"}
	case tone.InformationTone:
		return judgement{unknown, "the exchange plays the tone of an announcement"}
	case tone.RingbackTone:
		ringing = true
	case tone.NoTone, tone.DialTone:
	}
	if s.dialRun >= dialSteady && s.n > dialLinger {
		return judgement{untaken, "the exchange still plays dial tone"}
	}
	if j := s.answer(); j.sign != noSign {
		return j
	}
	if ringing && !s.rang {
		s.rang = true
		return judgement{rings, "the exchange plays ringback tone"}
	}
	return judgement{}
}

// answer looks for an answer.
func (s *supervisor) answer() judgement {
	switch s.cfg.Answer {
	case AnswerTimer:
		if s.n >= int64(media.SamplesIn(s.cfg.AnswerAfter)) {
			return judgement{answers, fmt.Sprintf("%v have passed since the number was dialled", s.cfg.AnswerAfter)}
		}
		return judgement{}
	case AnswerPolarity:
		return judgement{}
	case AnswerAuto, AnswerVoice:
	}
	rang := s.rang || s.lastRing > 0
	switch {
	case s.loop > 0 && s.lastRing > s.loop+turnSlack:
		s.loop = 0 // it still rings
	case s.loop > 0 && s.n-s.loop >= turnWait:
		return judgement{answers, "the battery of the line has turned"}
	case rang && s.spoken(50) >= 15:
		return judgement{answers, "somebody speaks after the ringback tone"}
	case !rang && s.spoken(100) >= 35:
		return judgement{answers, "somebody speaks"}
	case s.rang && s.n-s.lastRing > s.longestPause()+awayExtra:
		return judgement{answers, "the ringback tone has stopped"}
	}
	return judgement{}
}

// longestPause is that of the ringback tone, in samples.
func (s *supervisor) longestPause() int64 {
	var longest time.Duration
	for _, st := range s.country.Ringback.Steps {
		if len(st.Hz) == 0 {
			longest = max(longest, st.Duration)
		}
	}
	return int64(media.SamplesIn(longest))
}

// talk judges a call that is answered.
func (s *supervisor) talk(kind tone.Kind) judgement {
	switch kind {
	case tone.BusyTone:
		return judgement{hungUp, "the exchange plays busy tone"}
	case tone.CongestionTone:
		return judgement{hungUp, "the exchange plays congestion tone"}
	case tone.DialTone:
		if s.n > s.flash {
			return judgement{hungUp, "the exchange plays dial tone"}
		}
	case tone.NoTone, tone.RingbackTone, tone.InformationTone:
	}
	if s.spoken(25) >= 5 { // half a second
		s.loop, s.port = 0, 0 // nobody who has hung up speaks
	}
	switch silent := s.n - max(s.lastSaid, s.told, s.since); {
	case s.loop > 0 && s.n-s.loop >= loopWait:
		return judgement{hungUp, "the loop of the line broke or turned, and nobody speaks"}
	case s.port > 0 && s.n-s.port >= portWait:
		return judgement{hungUp, "the port reports " + s.portSaid + ", and nobody speaks"}
	case s.cfg.Silence > 0 && silent >= int64(media.SamplesIn(s.cfg.Silence)):
		return judgement{hungUp, fmt.Sprintf("nothing was said for %v", s.cfg.Silence)}
	}
	return judgement{}
}

// reports takes what the port believes.
func (s *supervisor) reports(e hal.ExchangeEventType) judgement {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e {
	case hal.LoopBreak:
		switch {
		case s.talking && (s.cfg.NoLoop || s.n-s.since < answerHush || s.n < s.flash):
		case s.loop > 0: // it counts from the first report on
		case s.talking, s.cfg.Answer == AnswerAuto && s.n > settle:
			s.loop = s.n
		case s.cfg.Answer == AnswerPolarity && s.n > settle:
			return judgement{answers, "the battery of the line has turned"}
		}
	case hal.HeardBusy, hal.HeardDial:
		if s.port == 0 && s.n > s.flash {
			s.port, s.portSaid = s.n, strings.ReplaceAll(e.String(), "-", " ")
		}
	case hal.HeardFax:
		if !s.talking && s.cfg.Answer != AnswerTimer && s.cfg.Answer != AnswerPolarity {
			return judgement{answers, "a fax machine or modem answers"}
		}
	default:
	}
	return judgement{}
}

// rhythm finds the first rings of a ringback tone without waiting for a whole round.
type rhythm struct {
	want    tone.Tone
	on, off int // samples of the present sound, or of the pause after the last one
	last    int // length of that sound
}

// next takes a frame, of the tone or not, and reports whether it rings.
func (r *rhythm) next(sounds bool) bool {
	const frame = media.FrameSamples
	want := media.SamplesIn(r.want.Steps[0].Duration)
	if sounds {
		again := false
		if r.on == 0 && r.last > 0 && len(r.want.Steps) > 1 { // the second of two short ones
			again = near(r.last, want) && near(r.off, media.SamplesIn(r.want.Steps[1].Duration))
		}
		r.on += frame
		return again || r.on > want+want/5 && want >= media.SampleRate
	}
	if r.on > 0 {
		r.last, r.on, r.off = r.on, 0, 0
	}
	r.off += frame
	// A long ring is one by its length alone.
	return r.off == 2*frame && want >= media.SampleRate*9/10 && near(r.last, want)
}

// near reports whether a is b, within a tenth and two frames.
func near(a, b int) bool {
	d := a - b
	return max(d, -d) <= b/10+2*media.FrameSamples
}

// pure reports whether f is one or two tones and nothing else, of whatever network:
// four samples are enough to predict the next (Prony).
func pure(f *media.Frame) bool {
	const order = 4
	var a [order][order + 1]float64
	for i := order; i < len(f); i++ {
		for j := range order {
			x := float64(f[i-1-j])
			for k := j; k < order; k++ {
				a[j][k] += x * float64(f[i-1-k])
			}
			a[j][order] += x * float64(f[i])
		}
	}
	var total float64
	for i := order; i < len(f); i++ {
		total += float64(f[i]) * float64(f[i])
	}
	for j := range order {
		for k := range j {
			a[j][k] = a[k][j]
		}
		a[j][j] += total * 1e-6 // one tone alone leaves the rest open
	}
	w, ok := solve(&a)
	if !ok || total == 0 {
		return false
	}
	var left float64
	for i := order; i < len(f); i++ {
		e := float64(f[i])
		for j := range order {
			e -= w[j] * float64(f[i-1-j])
		}
		left += e * e
	}
	return left < pureGain*total
}

// solve is Gauss with pivots.
func solve(a *[4][5]float64) (w [4]float64, ok bool) {
	n := len(a)
	for c := range n {
		p := c
		for r := c + 1; r < n; r++ {
			if abs(a[r][c]) > abs(a[p][c]) {
				p = r
			}
		}
		if a[p][c] == 0 {
			return w, false
		}
		a[c], a[p] = a[p], a[c]
		for r := range n {
			if r == c {
				continue
			}
			k := a[r][c] / a[c][c]
			for j := c; j <= n; j++ {
				a[r][j] -= k * a[c][j]
			}
		}
	}
	for c := range n {
		w[c] = a[c][n] / a[c][c]
	}
	return w, true
}

func abs(x float64) float64 { return max(x, -x) }
