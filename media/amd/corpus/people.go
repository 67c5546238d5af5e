package corpus

import "math"

// People. A person says something, then waits for an answer; without one many say
// something again.

// pickUp is the time between the answer and the first word. Who answers a
// telephone all day says it faster than a machine's greeting is read.
func (s *scene) pickUp() {
	s.rate += 30
	s.quiet(s.between(0.1, 1.0))
}

// waits is a person listening: some ask again.
func (s *scene) waits() error {
	s.quiet(s.between(1.6, 4))
	if s.chance(0.4) {
		if err := s.say(s.text("hello"), s.between(0.8, 1.2)); err != nil {
			return err
		}
		s.quiet(2.5)
	}
	s.quiet(2)
	s.room()
	return nil
}

// room is the noise of an ordinary room, often none that can be heard.
func (s *scene) room() {
	switch {
	case s.chance(0.35):
	case s.chance(0.6):
		s.add(s.pink(), s.between(0.002, 0.02))
	default:
		s.add(s.pink(), s.between(0.02, 0.06))
	}
}

func (s *scene) hello() error {
	s.pickUp()
	if err := s.say(s.text("hello"), 1); err != nil {
		return err
	}
	return s.waits()
}

func (s *scene) name() error {
	s.pickUp()
	if err := s.say(s.text("name"), 1); err != nil {
		return err
	}
	return s.waits()
}

func (s *scene) business() error {
	s.pickUp()
	if err := s.say(s.text("business"), 1); err != nil {
		return err
	}
	return s.waits()
}

func (s *scene) lateHello() error {
	s.quiet(s.between(1.2, 3))
	return s.hello()
}

func (s *scene) helloTwice() error {
	s.pickUp()
	first := s.text("hello")
	if err := s.say(first, 1); err != nil {
		return err
	}
	s.quiet(s.between(0.35, 1.6))
	if s.chance(0.5) {
		first = s.text("hello")
	}
	if err := s.say(first, 1.1); err != nil {
		return err
	}
	return s.waits()
}

// coughHello begins with one to three bursts of breath: a cough or a laugh.
func (s *scene) coughHello() error {
	s.pickUp()
	breath := s.pink()
	for range 1 + s.r.IntN(3) {
		n := int(s.between(0.08, 0.2) * rate)
		loud := s.between(0.4, 1.2)
		for i := range n {
			s.x = append(s.x, loud*breath()*math.Exp(-4*float64(i)/float64(n)))
		}
		s.quiet(s.between(0.06, 0.2))
	}
	s.quiet(s.between(0.1, 0.6))
	if err := s.say(s.text([]string{"hello", "name"}[s.r.IntN(2)]), 1); err != nil {
		return err
	}
	return s.waits()
}

// othersTalk has another voice talk in the background all the time.
func (s *scene) othersTalk() error {
	if err := s.hello(); err != nil {
		return err
	}
	other := s.voice
	_, voices := voicesOf(s.voice.Split, s.studio.EspeakOnly)
	other = voices[other.Language][s.r.IntN(len(voices[other.Language]))]
	soft := s.between(0.03, 0.12)
	for at := 0; at < len(s.x); {
		v, err := s.spoken(other, s.text([]string{"landline", "company", "mobile"}[s.r.IntN(3)]))
		if err != nil {
			return err
		}
		for i := 0; i < len(v) && at+i < len(s.x); i++ {
			s.x[at+i] += soft * v[i]
		}
		at += len(v) + int(s.between(0.1, 0.8)*rate)
	}
	return nil
}

// traffic is a street or the inside of a car.
func (s *scene) traffic() error {
	s.pickUp()
	kind := []string{"hello", "name"}[s.r.IntN(2)]
	if err := s.say(s.text(kind), 1); err != nil {
		return err
	}
	s.quiet(s.between(3, 6))
	if s.chance(0.5) {
		s.add(s.rumble(), s.between(0.05, 0.25))
		return nil
	}
	s.add(s.street(), s.between(0.03, 0.16))
	return nil
}

func (s *scene) musicHello() error {
	if err := s.hello(); err != nil {
		return err
	}
	s.add(s.music(), s.between(0.03, 0.12))
	return nil
}

// ringbackHello is an exchange that reports the answer early: the line still
// rings.
func (s *scene) ringbackHello() error {
	hz := [][]float64{{425}, {440, 480}, {400, 450}}[s.r.IntN(3)]
	for range 1 + s.r.IntN(2) {
		s.tone(s.between(0.6, 1), s.between(0.15, 0.5), hz...)
		s.quiet(s.between(0.8, 2))
	}
	return s.hello()
}
