package session

import (
	"testing"

	"callbox/media"
	"callbox/media/tone"
)

// faxPort is a port that plays a tone and knows whether it was left alone.
type faxPort struct {
	src   media.Source
	clear int
}

func (p *faxPort) ReadFrame(f *media.Frame) bool { return p.src != nil && p.src.ReadFrame(f) }
func (p *faxPort) WriteFrame(*media.Frame)       {}
func (p *faxPort) SetTransparent()               { p.clear++ }

// A fax machine at one end of a bridge leaves the sound of both ends as it is, once;
// other tones do not.
func TestFaxMakesBothEndsTransparent(t *testing.T) {
	for _, tt := range []struct {
		name string
		tn   tone.Tone
		want int
	}{
		{"a fax that answers", tone.AnswerTone, 1},
		{"a fax that calls", tone.CallingTone, 1},
		{"a dial tone", tone.Tone{Steps: []tone.Step{{Hz: []float64{350, 440}}}}, 0},
	} {
		c := &clock{}
		a, b, other := &faxPort{src: tone.New(tt.tn, -15)}, &faxPort{}, &faxPort{}
		sa, sb, so := newSession(t, c, a), newSession(t, c, b), newSession(t, c, other)
		if err := Bridge(sa, sb); err != nil {
			t.Fatal(err)
		}
		c.tick(10 * 50)
		if a.clear != tt.want || b.clear != tt.want || other.clear != 0 || sa.Stats().Fax != (tt.want > 0) {
			t.Errorf("%s: told %d and %d times, and another call %d", tt.name, a.clear, b.clear, other.clear)
		}
		so.Close()
		sa.Close()
		sb.Close()
	}
}
