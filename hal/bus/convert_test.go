package bus

import (
	"errors"
	"math"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/media"
)

// adapter is a card of 48,000 Hz: it hears a tone, and remembers what it plays.
type adapter struct {
	fakeStream
	rate, own int
	osc       float64
	heard     []int16
	room      int // frames that it takes at once; 0: all
	full      bool
}

func (a *adapter) Read(data any) (int, error) {
	b := data.([]int16)
	for i := 0; i < len(b); i += a.own {
		for ch := range a.own {
			b[i+ch] = int16(8000 * math.Sin(a.osc) * float64(1-ch))
		}
		a.osc += 2 * math.Pi * 1000 / float64(a.rate)
	}
	return len(b) / a.own, nil
}

func (a *adapter) Write(data any) (int, error) {
	if a.full {
		return 0, syscall.EAGAIN
	}
	b := data.([]int16)
	if a.room > 0 && len(b) > a.room*a.own {
		b = b[:a.room*a.own]
	}
	a.heard = append(a.heard, b...)
	return len(b) / a.own, nil
}

// TestConvertCapture: a tone heard at another rate is the same tone at 8,000 Hz, and
// as loud; nothing is lost in ten seconds.
func TestConvertCapture(t *testing.T) {
	for _, rate := range []int{48000, 44100, 16000} {
		for own := 1; own <= 2; own++ {
			s, err := convert(&adapter{rate: rate, own: own}, rate, own, 1, true)
			if err != nil {
				t.Fatal(err)
			}
			var got []int16
			block := make([]int16, period)
			for range 500 {
				n, err := s.Read(block)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, block[:n]...)
			}
			if len(got) < 500*period-100 || len(got) > 500*period {
				t.Errorf("%d Hz: %d samples of %d", rate, len(got), 500*period)
			}
			end := got[len(got)-hal.SampleRate:]
			if lev := media.ToneLevel(end, 1000); math.Abs(lev-media.DBm0(end)) > 0.1 || math.Abs(lev-toneOf(8000)) > 0.2 {
				t.Errorf("%d Hz, %d channels: the tone is at %.1f dBm0 of %.1f, want %.1f", rate, own, lev, media.DBm0(end), toneOf(8000))
			}
		}
	}
}

// toneOf is the level of a sine with a peak.
func toneOf(peak float64) float64 {
	return 20 * math.Log10(peak/media.Amplitude(0))
}

// TestConvertPlayback: what is played on a stereo card of another rate is heard on
// both sides, also by a card that takes a little at a time.
func TestConvertPlayback(t *testing.T) {
	for _, room := range []int{0, 100} {
		a := &adapter{rate: 48000, own: 2, room: room}
		s, err := convert(a, 48000, 2, 1, false)
		if err != nil {
			t.Fatal(err)
		}
		osc := media.NewOscillator(1000, 8000)
		block := make([]int16, period)
		for range 100 {
			for i := range block {
				block[i] = int16(osc.Next())
			}
			if n, err := s.Write(block); err != nil || n != period {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		left, right := make([]int16, 0, len(a.heard)/2), true
		for i := 0; i < len(a.heard); i += 2 {
			left = append(left, a.heard[i])
			right = right && a.heard[i] == a.heard[i+1]
		}
		back, err := media.Resample(left, 48000, hal.SampleRate)
		if err != nil {
			t.Fatal(err)
		}
		end := back[len(back)-hal.SampleRate:]
		if lev := media.ToneLevel(end, 1000); !right || math.Abs(lev-toneOf(8000)) > 0.3 || math.Abs(lev-media.DBm0(end)) > 0.2 {
			t.Errorf("room %d: the tone is at %.1f dBm0, both sides %v", room, lev, right)
		}
		if d, err := s.(delayer).Delay(); err != nil || d < 0 || d > 80 {
			t.Errorf("room %d: the converter holds %d samples, %v", room, d, err)
		}
	}
	// A card that is full keeps us waiting and loses nothing.
	a := &adapter{rate: 48000, own: 1}
	s, err := convert(a, 48000, 1, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	a.full = true
	block := make([]int16, period)
	if n, err := s.Write(block); n != period || err != nil {
		t.Errorf("the first block: %d, %v", n, err)
	}
	if n, err := s.Write(block); n != 0 || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("a full card: %d, %v", n, err)
	}
	a.full = false
	if n, err := s.Write(block); n != period || err != nil || len(a.heard) < 1700 {
		t.Errorf("a card with room again: %d, %v, played %d", n, err, len(a.heard))
	}
	if err := s.Prepare(); err != nil {
		t.Error(err)
	}
}

// TestConvertedCard runs a whole card of 48,000 Hz: sound goes both ways.
func TestConvertedCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := &adapter{rate: 48000, own: 1}, &adapter{rate: 48000, own: 2}
		c, err := openCard("Device", 1, nil, func() (stream, stream, error) {
			a, err := convert(in, 48000, 1, 1, true)
			b, err2 := convert(out, 48000, 2, 1, false)
			return a, b, errors.Join(err, err2)
		})
		if err != nil {
			t.Fatal(err)
		}
		ch := c.Channels()[0]
		block, heard := make([]int16, period), []int16{}
		osc := media.NewOscillator(700, 4000)
		for range 150 {
			if _, err := ch.Read(block); err != nil {
				t.Fatal(err)
			}
			heard = append(heard, block...)
			for i := range block {
				block[i] = int16(osc.Next())
			}
			if _, err := ch.Write(block); err != nil {
				t.Fatal(err)
			}
		}
		end := heard[len(heard)-hal.SampleRate:]
		if media.DBm0(end)-media.ToneLevel(end, 1000) > 0.2 {
			t.Error("the tone that the card hears arrives broken")
		}
		if _, ok := ch.Offset(); !ok {
			t.Error("the card does not know how its directions lie to each other")
		}
		<-time.After(time.Second)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		var left []int16
		for i := 0; i < len(out.heard); i += 2 {
			left = append(left, out.heard[i])
		}
		back, err := media.Resample(left, 48000, hal.SampleRate)
		if err != nil {
			t.Fatal(err)
		}
		if end = back[hal.SampleRate : 2*hal.SampleRate]; media.DBm0(end)-media.ToneLevel(end, 700) > 0.2 {
			t.Error("the tone that is played on the card is broken")
		}
	})
}
