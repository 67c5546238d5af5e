package stream

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/codec"
)

// sound is a piece with the levels in and out.
func sound(at time.Duration, in, out int16) *script.StreamPiece {
	p := &script.StreamPiece{Kind: script.StreamSound, At: at}
	for i := range p.In {
		p.In[i], p.Out[i] = in, out
	}
	return p
}

// payload shortens sound in base64.
var payload = regexp.MustCompile(`"payload":"([^"]{8})[^"]*"`)

// script of the golden messages: what there is for the application.
func pieces() []*script.StreamPiece {
	return []*script.StreamPiece{
		sound(0, 1000, -1000), sound(20*time.Millisecond, 1000, -1000), sound(60*time.Millisecond, 0, 0),
		{Kind: script.StreamKey, Key: '#'}, {Kind: script.StreamMark, Mark: `m"quoted"`}, {Kind: script.StreamMark, Mark: "mtwo", Cleared: true},
		{Kind: script.StreamMark, Mark: "pclip-1"}, {Kind: script.StreamMark, Mark: "p", Cleared: true},
		sound(80*time.Millisecond, 1000, -1000),
	}
}

// transcript writes what l says to all of it.
func transcript(b *strings.Builder, l language) {
	for _, msg := range l.begin() {
		fmt.Fprintf(b, "%s\n", msg)
	}
	for _, p := range pieces() {
		messages, binary := l.piece(nil, p)
		for _, msg := range messages {
			if binary {
				fmt.Fprintf(b, "%d bytes: % x …\n", len(msg), msg[:min(len(msg), 8)])
			} else {
				fmt.Fprintf(b, "%s\n", payload.ReplaceAll(msg, []byte(`"payload":"$1…"`)))
			}
		}
	}
	if last := l.farewell(); last != nil {
		fmt.Fprintf(b, "%s\n", last)
	}
}

// TestMessages: what applications are told, in both languages.
func TestMessages(t *testing.T) {
	var b strings.Builder
	for _, tc := range []struct {
		name    string
		options call.StreamOptions
		opening api.StreamOpening
	}{
		{"inbound", call.StreamOptions{Track: call.TrackInbound, TwoWay: true, Parameters: []call.Parameter{{Name: "order", Value: "<17>"}, {Name: "who", Value: "alice"}}},
			api.StreamOpening{Account: "AC1", Version: "1.0.0"}},
		{"both", call.StreamOptions{Track: call.TrackBoth}, api.StreamOpening{Account: "AC1", Version: "1.0.0"}},
		{"outbound, linear, with the length of keys", call.StreamOptions{Track: call.TrackOutbound, Rate: 16000},
			api.StreamOpening{Account: "8d0f0e5c-6c2e-4b0e-9a53-0c9b7a1f2d11", Version: "0.2.0", KeyLengths: true}},
		{"bare, mono", call.StreamOptions{Mix: call.StreamMono, Rate: 8000}, api.StreamOpening{Hello: []byte(`{"callSid":"CA1"}`)}},
		{"bare, stereo", call.StreamOptions{Mix: call.StreamStereo, Rate: 8000}, api.StreamOpening{Hello: []byte(`{}`)}},
		{"bare, mixed, 16 kHz", call.StreamOptions{Mix: call.StreamMixed, Rate: 16000}, api.StreamOpening{Hello: []byte(`{}`)}},
	} {
		fmt.Fprintf(&b, "# %s\n", tc.name)
		s := theCall("ws://app.lan/")
		s.StreamOptions = tc.options
		transcript(&b, speaker(t, s, tc.opening, newEnd()))
	}
	apitest.Golden(t, "messages.txt", b.String())
}

// BenchmarkMessage is 20 ms of a call written for its application, in both languages.
func BenchmarkMessage(b *testing.B) {
	for _, k := range []struct {
		name    string
		options call.StreamOptions
		opening api.StreamOpening
	}{
		{"media", call.StreamOptions{Track: call.TrackInbound}, api.StreamOpening{}},
		{"media-both", call.StreamOptions{Track: call.TrackBoth}, api.StreamOpening{}},
		{"media-16000", call.StreamOptions{Track: call.TrackInbound, Rate: 16000}, api.StreamOpening{}},
		{"bare-mono", call.StreamOptions{Mix: call.StreamMono, Rate: 8000}, api.StreamOpening{Hello: []byte(`{}`)}},
		{"bare-stereo-16000", call.StreamOptions{Mix: call.StreamStereo, Rate: 16000}, api.StreamOpening{Hello: []byte(`{}`)}},
	} {
		b.Run(k.name, func(b *testing.B) {
			s := theCall("ws://app.lan/")
			s.StreamOptions = k.options
			l, p := speaker(b, s, k.opening, newEnd()), sound(0, 1000, -1000)
			l.piece(nil, p) // a resampler gives nothing for its first samples
			buf := make([]byte, 0, 4<<10)
			b.ReportAllocs()
			for b.Loop() {
				p.At += media.FrameDuration
				if messages, _ := l.piece(buf[:0], p); len(messages) == 0 {
					b.Fatal("nothing was written")
				}
			}
		})
	}
}

// speaker makes the language of an opening.
func speaker(t testing.TB, s call.Stream, o api.StreamOpening, end script.StreamEnd) language {
	t.Helper()
	var l language
	var err error
	if o.Hello != nil {
		l, err = newBare(s, o, end)
	} else {
		l, err = newMedia(s, o, end)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wavOf is a WAV file of n samples at a rate.
func wavOf(rate, n int) string {
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, uint32(36+2*n))
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*rate))
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*n))
	for range n {
		b = binary.LittleEndian.AppendUint16(b, 500)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func bytesOf(n int, v byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(v)), n)))
}

// sayings are what applications say, by language.
var sayings = map[string][]string{
	"media": {
		`{"event":"media","streamSid":"MZ1","media":{"payload":"` + bytesOf(320, 0x7f) + `"}}`,
		`{"event":"media","media":{"payload":"%%"}}`, `{"event":"media"}`,
		`{"event":"mark","mark":{"name":"greeting"}}`, `{"event":"mark"}`, `{"event":"mark","mark":{"name":7}}`,
		`{"event":"clear"}`, `{"event":"dtmf","dtmf":{"digit":"5"}}`, `{"event":"dtmf","dtmf":{"digits":"1A#"}}`, `{"event":"dtmf","dtmf":{"digit":"x"}}`,
		`{"event":"dance"}`, `[]`, `{`, "\x00",
	},
	"bare": {
		`{"type":"playAudio","data":{"audioContent":"` + bytesOf(640, 1) + `","audioContentType":"raw","sampleRate":8000,"id":"one"}}`,
		`{"type":"playAudio","data":{"audioContent":"` + bytesOf(640, 1) + `","audioContentType":"raw","sampleRate":"16000","queuePlay":true}}`,
		`{"type":"playAudio","data":{"audioContent":"` + wavOf(24000, 2400) + `","audioContentType":"wav","id":"two","queuePlay":true}}`,
		`{"type":"playAudio","data":{"audioContent":"` + bytesOf(5, 1) + `"}}`,
		`{"type":"playAudio","data":{"audioContent":"` + bytesOf(64, 1) + `","sampleRate":1}}`,
		`{"type":"playAudio","data":{"audioContent":"` + bytesOf(64, 1) + `","audioContentType":"wav"}}`,
		`{"type":"playAudio","data":{"audioContent":"` + bytesOf(64, 1) + `","audioContentType":"mp3"}}`,
		`{"type":"playAudio","data":{"audioContent":"%%"}}`,
		`{"type":"killAudio"}`, `{"type":"mark","data":{"name":"greeting"}}`, `{"type":"mark","data":{}}`, `{"type":"clearMarks"}`,
		`{"type":"disconnect"}`, `{"type":"dance"}`, `{"type":7}`, `{`,
	},
}

// TestSayings: what an application says, and what comes of it: for a stream that
// takes sound, for one that does not, and for one whose call has no room.
func TestSayings(t *testing.T) {
	short := regexp.MustCompile(`"(audioContent|payload)":"([^"]{8})[^"]+"`)
	for kind, list := range sayings {
		var b strings.Builder
		for _, msg := range list {
			fmt.Fprintf(&b, "< %q\n", short.ReplaceAllString(msg, `"$1":"$2…"`))
			for _, how := range []string{"", "one way", "full"} {
				end := newEnd()
				end.full = how == "full"
				s := theCall("ws://app.lan/")
				s.TwoWay = how != "one way"
				o := api.StreamOpening{}
				if kind == "bare" {
					o.Hello, s.Rate = []byte("{}"), 8000
				}
				done, err := speaker(t, s, o, end).take(context.Background(), false, []byte(msg))
				fmt.Fprintf(&b, "> %s", end.take())
				if done {
					b.WriteString("leave")
				}
				if err != nil {
					fmt.Fprintf(&b, " error: %v", err)
				}
				if how != "" {
					fmt.Fprintf(&b, " (%s)", how)
				}
				b.WriteByte('\n')
			}
		}
		apitest.Golden(t, "sayings-"+kind+".txt", b.String())
	}
}

// TestBareSound: binary messages are played only where they are expected.
func TestBareSound(t *testing.T) {
	end := newEnd()
	s := theCall("ws://app.lan/")
	s.TwoWay, s.Rate = true, 8000
	l := speaker(t, s, api.StreamOpening{Hello: []byte("{}")}, end)
	if _, err := l.take(context.Background(), true, make([]byte, 320)); err == nil || end.take() != "" {
		t.Errorf("played without being asked for: %v", err)
	}
	s.PlayRate = 16000
	l = speaker(t, s, api.StreamOpening{Hello: []byte("{}")}, end)
	for range 100 {
		if _, err := l.take(context.Background(), true, make([]byte, 641)); err != nil {
			t.Fatal(err)
		}
	}
	if end.heard < 100*160-40 || end.heard > 100*160 {
		t.Errorf("%d samples of 2 s at 16 kHz came out at 8 kHz", end.heard)
	}
	m := speaker(t, s, api.StreamOpening{}, end)
	if _, err := m.take(context.Background(), true, nil); err == nil {
		t.Error("a binary media message was taken")
	}
}

// TestClipsBounded: ten sounds wait, an eleventh is dropped, and those that end
// make room.
func TestClipsBounded(t *testing.T) {
	end := newEnd()
	s := theCall("ws://app.lan/")
	s.TwoWay, s.Rate = true, 8000
	l := speaker(t, s, api.StreamOpening{Hello: []byte("{}")}, end)
	clip := []byte(`{"type":"playAudio","data":{"audioContent":"AAAA","id":"x","queuePlay":true}}`)
	for range maxClips {
		if _, err := l.take(context.Background(), false, clip); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.take(context.Background(), false, clip); err == nil {
		t.Error("one too many was taken")
	}
	l.piece(nil, &script.StreamPiece{Kind: script.StreamMark, Mark: "px"})
	if _, err := l.take(context.Background(), false, clip); err != nil {
		t.Error(err)
	}
}

// TestSoundIsWhole: what the application gets is what was said, in every form.
func TestSoundIsWhole(t *testing.T) {
	tone := func(rate, i int) float64 { return 8000 * math.Sin(2*math.Pi*440*float64(i)/float64(rate)) }
	for name, rate := range map[string]int{"mu-law": 0, "8 kHz": 8000, "16 kHz": 16000, "48 kHz": 48000} {
		s := theCall("ws://app.lan/")
		s.Rate = rate
		l, err := newMedia(s, api.StreamOpening{}, newEnd())
		if err != nil {
			t.Fatal(err)
		}
		var got []int16
		for k := range 50 {
			p := &script.StreamPiece{Kind: script.StreamSound}
			for i := range p.In {
				p.In[i] = int16(tone(media.SampleRate, k*media.FrameSamples+i))
			}
			messages, _ := l.piece(nil, p)
			b, err := base64.StdEncoding.DecodeString(regexp.MustCompile(`"payload":"([^"]*)"`).FindStringSubmatch(string(messages[0]))[1])
			if err != nil {
				t.Fatal(err)
			}
			if rate == 0 {
				x := make([]int16, len(b))
				got = append(got, x[:codec.PCMU.Decode(x, b)]...)
				continue
			}
			for i := 0; i < len(b); i += 2 {
				got = append(got, int16(binary.LittleEndian.Uint16(b[i:])))
			}
		}
		at := max(rate, media.SampleRate)
		var diff, power float64
		for i := at / 10; i < len(got); i++ {
			d := float64(got[i]) - tone(at, i)
			diff += d * d
			power += tone(at, i) * tone(at, i)
		}
		if len(got) < at*98/100 || diff/power > 0.01 {
			t.Errorf("%s: %d samples, %.1f %% off", name, len(got), 100*math.Sqrt(diff/power))
		}
	}
}

func FuzzSayings(f *testing.F) {
	for kind, list := range sayings {
		for _, msg := range list {
			f.Add(kind == "bare", false, []byte(msg))
		}
	}
	f.Add(true, true, []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, bare, binary bool, msg []byte) {
		end := newEnd()
		s := theCall("ws://app.lan/")
		s.TwoWay = true
		o := api.StreamOpening{}
		if bare {
			o.Hello, s.Rate, s.PlayRate = []byte("{}"), 16000, 24000
		}
		l := speaker(t, s, o, end)
		_, err := l.take(context.Background(), binary, msg)
		if end.heard > len(msg)*media.SampleRate { // a second a byte is more than any rate gives
			t.Errorf("%d samples of %d bytes", end.heard, len(msg))
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("a sentence of %d bytes", len(err.Error()))
		}
	})
}
