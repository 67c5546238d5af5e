package corpus

import (
	"math"
	"strings"
)

// Machines, faxes and nobody.

// greet says a text as a machine plays it: sentence after sentence.
func (s *scene) greet(text string) error {
	if s.chance(0.5) {
		return s.say(text, 1)
	}
	for i, sentence := range sentences(text) {
		if i > 0 {
			s.quiet(s.between(0.1, 0.7))
		}
		if err := s.say(sentence, 1); err != nil {
			return err
		}
	}
	return nil
}

// sentences cuts a text behind its full stops.
func sentences(text string) []string {
	var list []string
	for _, part := range strings.SplitAfter(text, ". ") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// record is what follows a greeting: a beep in most cases, then the machine
// records silence.
func (s *scene) record(beeps float64) {
	if s.chance(beeps) {
		s.quiet(s.between(0.1, 1.2))
		s.beep()
	}
	s.quiet(4)
	if s.chance(0.6) {
		s.add(s.pink(), s.between(0.001, 0.02))
	}
}

// beep is one of the sounds that ask to speak.
func (s *scene) beep() {
	seconds := s.between(0.1, 0.6)
	if s.chance(0.2) {
		seconds = s.between(0.6, 1.6)
	}
	hz := []float64{[]float64{440, 500, 620, 800, 850, 1000, 1000, 1200, 1400, 1750, 2000}[s.r.IntN(11)] * s.between(0.97, 1.03)}
	if s.chance(0.2) {
		hz = append(hz, hz[0]*s.between(1.3, 1.8))
	}
	s.tone(seconds, s.between(0.3, 1.4), hz...)
	s.clip.Beep = s.now()
}

func (s *scene) greeting(kind string, beeps float64) error {
	s.quiet(s.between(0.1, 1.6))
	if err := s.greet(s.text(kind)); err != nil {
		return err
	}
	s.record(beeps)
	return nil
}

func (s *scene) mobile() error   { return s.greeting("mobile", 0.85) }
func (s *scene) landline() error { return s.greeting("landline", 0.85) }
func (s *scene) company() error  { return s.greeting("company", 0.5) }
func (s *scene) terse() error    { return s.greeting("terse", 1) }

func (s *scene) menu() error {
	s.quiet(s.between(0.1, 1.2))
	for range 2 {
		if err := s.greet(s.text("menu")); err != nil {
			return err
		}
		s.quiet(s.between(1, 4))
	}
	return nil
}

func (s *scene) screening() error {
	s.quiet(s.between(0.1, 0.8))
	if err := s.greet(s.text("screen")); err != nil {
		return err
	}
	s.quiet(6)
	return nil
}

// musicGreeting is spoken over music, or after some seconds of it.
func (s *scene) musicGreeting() error {
	if s.chance(0.4) {
		s.quiet(s.between(1.5, 4))
	}
	if err := s.greeting([]string{"company", "landline"}[s.r.IntN(2)], 0.4); err != nil {
		return err
	}
	beep := s.clip.Beep
	end := len(s.x)
	if beep > 0 {
		end = int((beep - 1e9).Seconds() * rate) // it stops before the beep
	}
	if end > 0 {
		loud, tune := s.between(0.05, 0.4), s.music()
		for i := range s.x[:end] {
			s.x[i] += loud * tune()
		}
	}
	return nil
}

// brokenGreeting has a pause in which others would think it was over.
func (s *scene) brokenGreeting() error {
	s.quiet(s.between(0.1, 1))
	parts := sentences(s.text([]string{"mobile", "landline"}[s.r.IntN(2)]))
	at := s.r.IntN(len(parts))
	for i, p := range parts {
		if i > 0 {
			s.quiet(s.between(0.2, 0.5))
			if i == at {
				s.quiet(s.between(0.4, 1.2))
			}
		}
		if err := s.say(p, 1); err != nil {
			return err
		}
	}
	s.record(0.85)
	return nil
}

// announcement is the network's, behind the three tones of ITU-T E.180 §8 (SIT).
func (s *scene) announcement() error {
	s.quiet(s.between(0.1, 0.6))
	if s.chance(0.7) {
		loud := s.between(0.3, 1)
		for _, hz := range []float64{950, 1400, 1800} {
			s.tone(0.33, loud, hz*s.between(0.995, 1.005))
			s.quiet(s.between(0, 0.03))
		}
		s.quiet(s.between(0.2, 1))
	}
	for range 2 {
		if err := s.say(s.text("network"), 1); err != nil {
			return err
		}
		s.quiet(s.between(1, 2))
	}
	return nil
}

// fax calls with CNG or answers with CED or ANSam (ITU-T T.30, V.8).
func (s *scene) fax() error {
	if s.chance(0.25) {
		s.clip.Class = "fax CNG"
		s.quiet(s.between(0.2, 1.5))
		loud, hz := s.between(0.3, 1), 1100+s.between(-30, 30)
		for range 3 {
			s.tone(0.5, loud, hz)
			s.quiet(3)
		}
		return nil
	}
	s.quiet(s.between(0.2, 2))
	s.clip.Class = "fax CED"
	ansam := s.chance(0.5)
	if ansam {
		s.clip.Class = "fax ANSam"
	}
	loud, hz := s.between(0.3, 1), 2100+s.between(-10, 10)
	phase, turn := 0.0, 1.0
	for i := range int(3.3 * rate) {
		a := loud * math.Sqrt2
		if ansam {
			if i%int(0.45*rate) == 0 {
				turn = -turn
			}
			a *= turn * (1 + 0.2*math.Sin(2*math.Pi*15*float64(i)/rate))
		}
		phase += 2 * math.Pi * hz / rate
		s.x = append(s.x, a*math.Sin(phase))
	}
	s.quiet(0.075)
	for range int(1.5 * rate) { // the identification in V.21, as noise in its band is enough here
		s.x = append(s.x, loud*s.r.NormFloat64()*0.7)
	}
	s.quiet(1)
	return nil
}

// nobody speaks: dead air, comfort noise or a noisy room.
func (s *scene) nobody() error {
	s.quiet(12)
	switch s.r.IntN(3) {
	case 0:
	case 1:
		s.add(s.pink(), s.between(0.001, 0.05))
	default:
		s.add(s.rumble(), s.between(0.02, 0.2))
	}
	return nil
}
