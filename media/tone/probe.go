package tone

import "callbox/media"

// Probe tells whether a moment of sound is of some tones' frequencies, whatever the
// rhythm. It belongs to one goroutine; Has does not allocate.
type Probe struct{ specs []spectrum }

// NewProbe makes a probe for all sounds of these tones.
func NewProbe(tones ...Tone) *Probe {
	p := &Probe{}
	for _, t := range tones {
		for _, s := range t.Steps {
			if len(s.Hz) > 0 {
				p.specs = append(p.specs, newSpectrum(s.Hz, s.AM, false))
			}
		}
	}
	return p
}

// Has reports whether f is nothing but such a sound. Silence is none.
func (p *Probe) Has(f *media.Frame) bool {
	var energy float32
	for _, v := range f {
		energy += float32(v) * float32(v)
	}
	if energy < toneFloor*media.FrameSamples {
		return false
	}
	for i := range p.specs {
		if p.specs[i].power(f) >= toneShare*energy {
			return true
		}
	}
	return false
}
