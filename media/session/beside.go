package session

import "callbox/media"

const (
	// MaxBeside is how many clips can play beside the main one.
	MaxBeside = 4
	// unity is a loudness that changes nothing.
	unity = 256
	// MaxLoudness is the largest loudness, +24 dB.
	MaxLoudness = 4096
)

// Beside sends clip to the far end besides whatever else it hears, from the next
// tick on, at the loudness level (1/256 of its own, 0…MaxLoudness). It does not
// replace what [Session.Play] plays, nor is it replaced by that. ok is false, and
// the clip is left to the caller, when MaxBeside clips play already.
func (s *Session) Beside(clip media.Clip, level int) (p *Playback, ok bool) {
	p = &Playback{s: s, clip: clip, level: level, ended: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		p.end()
	} else if ok = s.seatBeside(p); !ok {
		s.mu.Unlock()
		return nil, false
	}
	s.clips.Add(1)
	s.stats.Clips++
	b := s.bridge
	s.mu.Unlock()
	go p.closeClip()
	b.update()
	return p, true
}

// seatBeside gives p a place. The caller holds s.mu.
func (s *Session) seatBeside(p *Playback) bool {
	for i := range s.beside {
		if s.beside[i] == nil {
			s.beside[i] = p
			return true
		}
	}
	return false
}

// mixBeside adds what plays beside to the frame that goes out, which holds sound
// already if said; it reports whether it does now. The caller holds s.mu.
func (s *Session) mixBeside(said bool) bool {
	for i, p := range s.beside {
		if p == nil {
			continue
		}
		if !p.clip.ReadFrame(&s.extra) {
			p.end()
			s.beside[i], s.recheck = nil, 0
			continue
		}
		if p.level != unity {
			s.extra.Gain(p.level)
		}
		said = s.say(&s.extra, said)
	}
	return said
}

// SetMuted says whether what the far end says is taken for silence: by the other
// side of a bridge, a room, and whoever listens. Keys are not sound.
func (s *Session) SetMuted(on bool) {
	s.mu.Lock()
	s.muted, s.recheck = on, 0
	b := s.bridge
	s.mu.Unlock()
	b.update()
}

// SetHolding is SetMuted for a far end that holds the other side of the bridge,
// which is entertained meanwhile. Each of the two alone is enough.
func (s *Session) SetHolding(on bool) {
	s.mu.Lock()
	s.holding, s.recheck = on, 0
	b := s.bridge
	s.mu.Unlock()
	b.update()
}

// SetLoudness multiplies what the far end is told by level/256 (0…MaxLoudness;
// 256 changes nothing), except what plays beside.
func (s *Session) SetLoudness(level int) {
	s.mu.Lock()
	s.loudness, s.recheck = min(max(level, 0), MaxLoudness), 0
	b := s.bridge
	s.mu.Unlock()
	b.update()
}
