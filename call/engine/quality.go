package engine

import (
	"math"
	"time"

	"callbox/call"
	"callbox/media"
	"callbox/media/quality"
	"callbox/media/session"
)

// sounding is a leg and its session: what can be asked how it sounds, from any
// goroutine.
type sounding struct {
	leg  call.Leg
	sess *session.Session
}

// media are the leg's counters.
func (s *sounding) media() call.MediaStats {
	if m, ok := s.leg.(call.MediaReporter); ok {
		return m.MediaStats()
	}
	return call.MediaStats{}
}

// quality says how the sound is, nil before there was any.
func (s *sounding) quality() *call.Quality {
	m := s.media()
	in, out := s.sess.Levels()
	if !in.Known && !out.Known && m.PacketsIn == 0 && m.PacketsOut == 0 {
		return nil
	}
	q := &call.Quality{In: loudness(in), Out: loudness(out), Fax: s.sess.Stats().Fax}
	codec := ""
	if t, ok := s.leg.(call.CodecTeller); ok {
		codec = t.Codec()
	}
	q.Rating = round(quality.Path{Codec: codec, Loss: unheard(m), Delay: delay(m)}.Rate(), 1)
	if m.PacketsIn == 0 && m.PacketsOut > 0 {
		q.Rating = 0 // nothing at all was heard
	}
	q.MOS = round(quality.MOS(q.Rating), 2)
	if e, ok := s.leg.(call.EchoReporter); ok {
		if loss, gain, ok := e.Echo(); ok {
			loss, gain = round(loss, 1), round(gain, 1)
			q.ReturnLoss, q.Enhancement = &loss, &gain
		}
	}
	return q
}

// unheard is the share of what the far end sent that was not heard as it was said.
func unheard(m call.MediaStats) float64 {
	all := m.PacketsIn + m.Lost
	if all == 0 {
		return 0
	}
	return float64(min(m.Lost+m.Late, all)) / float64(all)
}

// delay is about how long sound takes from the far end through the box: half the
// round trip, a frame that is being filled, and a jitter buffer that holds the
// jitter twice, as it does for all but the rarest packets.
func delay(m call.MediaStats) time.Duration { return m.RTT/2 + media.FrameDuration + 2*m.Jitter }

func loudness(l quality.Level) *call.Loudness {
	if !l.Known {
		return nil
	}
	return &call.Loudness{Level: round(l.Now, 1), Speech: round(l.Speech, 1), Clipped: l.Clipped}
}

// round leaves so many digits after the point: more would only be noise.
func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

// soundTotals are counters of legs, added up.
type soundTotals struct {
	packets, lost, late, concealed, dropped, clipped, refused uint64
}

func (t *soundTotals) add(m call.MediaStats, q *call.Quality) {
	t.packets += m.PacketsIn
	t.lost += m.Lost
	t.late += m.Late
	t.concealed += m.Concealed
	t.dropped += m.Dropped
	t.refused += m.Refused
	if q != nil && q.In != nil {
		t.clipped += q.In.Clipped
	}
}

// SoundStats say how calls sound.
type SoundStats struct {
	// Legs is how many have sound now; WorstMOS and MeanMOS are theirs, 0 without any.
	Legs              int
	WorstMOS, MeanMOS float64
	// These are of all legs since the start: packets that came, that did not, and
	// that came too late; frames made up, and thrown away; samples of far ends cut
	// off at full scale; packets that could not be opened.
	Packets, Lost, Late, Concealed, Dropped, Clipped, Refused uint64
}

// SoundStats looks at all legs.
func (e *Engine) SoundStats() SoundStats {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, st := e.ended, SoundStats{}
	for _, c := range e.calls {
		s := c.sounding.Load()
		if s == nil {
			continue
		}
		q := s.quality()
		t.add(s.media(), q)
		if q == nil {
			continue
		}
		if st.Legs++; st.Legs == 1 || q.MOS < st.WorstMOS {
			st.WorstMOS = q.MOS
		}
		st.MeanMOS += q.MOS
	}
	if st.Legs > 0 {
		st.MeanMOS = round(st.MeanMOS/float64(st.Legs), 2)
	}
	st.Packets, st.Lost, st.Late, st.Concealed, st.Dropped, st.Clipped = t.packets, t.lost, t.late, t.concealed, t.dropped, t.clipped
	st.Refused = t.refused
	return st
}

// soundEnds takes the leg of c, whose counters are in its record, from those that
// sound.
func (e *Engine) soundEnds(c *live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended.add(c.r.Media, c.r.Quality)
	c.sounding.Store(nil)
}
