package corpus

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"strings"

	"callbox/media"
	"callbox/media/codec"
)

// line takes the scene over a telephone line and makes the clip's sound of it.
func (s *scene) line() error {
	var did []string
	note := func(format string, a ...any) { did = append(did, fmt.Sprintf(format, a...)) }
	band(s.x)
	if s.chance(0.25) {
		delay, soft := int(s.between(0.02, 0.15)*rate), s.between(-32, -16)
		note("echo %.0f dB", soft)
		for i := len(s.x) - 1; i >= delay; i-- {
			s.x[i] += math.Pow(10, soft/20) * s.x[i-delay]
		}
	}
	level := s.between(-34, -12)
	if s.chance(0.15) {
		level = s.between(-40, -10)
	}
	note("%.0f dBm0", level)
	// 0 dBm0 is 3.14 dB below the power of the largest sine of G.711, which is 3
	// below the square of full scale.
	scale(s.x, 32768*math.Pow(10, (level-3.14-3.01)/20))
	pcm := make([]int16, len(s.x))
	for i, v := range s.x {
		pcm[i] = int16(math.Round(max(-32768, min(32767, v))))
	}
	if s.chance(0.15) {
		other := []int{11025, 16000, 22050, 44100, 48000}[s.r.IntN(5)]
		note("by way of %d Hz", other)
		var err error
		if pcm, err = through(pcm, other); err != nil {
			return err
		}
	}
	law := codec.PCMU
	if s.chance(0.5) {
		law = codec.PCMA
	}
	if low := s.r.Float64(); !s.studio.EspeakOnly && low < 0.16 {
		kind := "gsm"
		if low < 0.03 {
			kind = "lpc10"
		}
		note("%s", kind)
		var err error
		if pcm, err = s.recode(pcm, kind); err != nil {
			return err
		}
	}
	note("%s", law.Name)
	var coded [media.FrameSamples]byte
	lost := 0.0
	if s.chance(0.4) {
		lost = s.between(0.005, 0.05)
		note("%.1f %% lost", 100*lost)
	}
	var before media.Frame
	for i := 0; i+media.FrameSamples <= len(pcm); i += media.FrameSamples {
		f := pcm[i : i+media.FrameSamples]
		law.Encode(coded[:], f)
		law.Decode(f, coded[:])
		if s.r.Float64() < lost { // what was there before goes on, softer
			for j := range f {
				f[j] = before[j] / 2
			}
		}
		copy(before[:], f)
	}
	s.clip.Line = strings.Join(did, ", ")
	s.clip.Sound = pcm
	return nil
}

// band keeps 300 to 3,400 Hz, as telephones do: two Butterworth sections each way.
func band(x []float64) {
	for _, f := range [...]struct {
		hz   float64
		high bool
	}{{240, true}, {3400, false}} {
		w := math.Tan(math.Pi * f.hz / rate)
		norm := 1 / (1 + math.Sqrt2*w + w*w)
		b0, b1 := w*w*norm, 2*w*w*norm
		if f.high {
			b0, b1 = norm, -2*norm
		}
		a1, a2 := 2*(w*w-1)*norm, (1-math.Sqrt2*w+w*w)*norm
		var x1, x2, y1, y2 float64
		for i, v := range x {
			y := b0*v + b1*x1 + b0*x2 - a1*y1 - a2*y2
			x1, x2, y1, y2 = v, x1, y, y1
			x[i] = y
		}
	}
}

// through samples at another rate and back.
func through(pcm []int16, hz int) ([]int16, error) {
	for _, way := range [][2]int{{rate, hz}, {hz, rate}} {
		r, err := media.NewResampler(way[0], way[1])
		if err != nil {
			return nil, err
		}
		out := r.Write(nil, pcm)
		pcm = r.Flush(out)
	}
	return pcm, nil
}

// recode takes the sound through a low-rate codec of sox.
func (s *scene) recode(pcm []int16, kind string) ([]int16, error) {
	raw := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		raw = append(raw, byte(v), byte(uint16(v)>>8))
	}
	form := []string{"-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", "-"}
	for _, args := range [][]string{append(form, "-t", kind, "-"), append([]string{"-t", kind, "-"}, form...)} {
		var out, complaint bytes.Buffer
		cmd := exec.CommandContext(s.ctx, "sox", append([]string{"-D"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), &out, &complaint
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("sox makes %s: %w: %s", kind, err, strings.TrimSpace(complaint.String()))
		}
		raw = bytes.Clone(out.Bytes())
	}
	back := make([]int16, len(pcm))
	for i := range back {
		if 2*i+1 < len(raw) {
			back[i] = int16(uint16(raw[2*i]) | uint16(raw[2*i+1])<<8)
		}
	}
	return back, nil
}
