package stream

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/wav"
)

// Bounds of the sounds that are played.
const (
	maxClips = 10 // that wait
	maxClip  = 2 * time.Minute
)

// bareTalk is the language of bare samples (call-api.md §6.2): binary messages of
// 16-bit linear samples, little-endian, and commands in JSON.
type bareTalk struct {
	s     call.Stream
	hello []byte
	end   script.StreamEnd

	// Of the goroutine that writes.
	left, right *resampler
	mixed       media.Frame

	down *resampler // of the goroutine that reads: samples that come bare

	mu    sync.Mutex // guards what follows
	clips int        // sounds that wait or play
}

// A mark that the box made to learn when a sound has been heard, and one of the
// application, are told apart by their first letter.
const (
	ofClip = "p"
	ofMark = "m"
)

func newBare(s call.Stream, o api.StreamOpening, end script.StreamEnd) (*bareTalk, error) {
	b := &bareTalk{s: s, hello: o.Hello, end: end}
	var err error
	if b.left, err = newResampler(media.SampleRate, s.Rate); err == nil {
		b.right, err = newResampler(media.SampleRate, s.Rate)
	}
	if err == nil && s.PlayRate != 0 {
		b.down, err = newResampler(s.PlayRate, media.SampleRate)
	}
	return b, err
}

func (b *bareTalk) begin() [][]byte  { return [][]byte{b.hello} }
func (b *bareTalk) farewell() []byte { return nil }

// piece writes sound, a key or a mark.
func (b *bareTalk) piece(buf []byte, p *script.StreamPiece) ([][]byte, bool) {
	switch p.Kind {
	case script.StreamKey:
		type key struct {
			Event  string `json:"event"`
			Key    string `json:"dtmf"`
			Length int64  `json:"duration"` // in ms
		}
		return [][]byte{encode(key{"dtmf", string(rune(p.Key)), keyLength.Milliseconds()})}, false
	case script.StreamMark:
		return b.mark(p), false
	case script.StreamSound:
	}
	switch b.s.Mix {
	case call.StreamStereo:
		in, out := b.left.write(p.In[:]), b.right.write(p.Out[:])
		for i := range in {
			buf = binary.LittleEndian.AppendUint16(buf, uint16(in[i]))
			buf = binary.LittleEndian.AppendUint16(buf, uint16(out[i]))
		}
	case call.StreamMixed:
		b.mixed = p.In
		b.mixed.Add(&p.Out)
		buf = b.left.bytes(buf, b.mixed[:])
	case call.StreamMono, call.StreamApart:
		buf = b.left.bytes(buf, p.In[:])
	}
	if len(buf) == 0 {
		return nil, true // a resampler that has just begun
	}
	return [][]byte{buf}, true
}

// mark tells of a mark, or of a sound that has ended.
func (b *bareTalk) mark(p *script.StreamPiece) [][]byte {
	kind, name := p.Mark[:1], p.Mark[1:]
	if kind == ofClip {
		b.mu.Lock()
		b.clips--
		b.mu.Unlock()
		if name == "" {
			return nil
		}
		type done struct {
			ID string `json:"id"`
		}
		return [][]byte{encode(struct {
			Type string `json:"type"`
			Data done   `json:"data"`
		}{"playDone", done{name}})}
	}
	type mark struct {
		Name  string `json:"name"`
		Event string `json:"event"`
	}
	m := mark{name, "playout"}
	if p.Cleared {
		m.Event = "cleared"
	}
	return [][]byte{encode(struct {
		Type string `json:"type"`
		Data mark   `json:"data"`
	}{"mark", m})}
}

// command is a message of the application.
type command struct {
	Type string `json:"type"`
	Data struct {
		Content string `json:"audioContent"`
		Kind    string `json:"audioContentType"`
		Rate    number `json:"sampleRate"`
		ID      string `json:"id"`
		Queue   bool   `json:"queuePlay"`
		Name    string `json:"name"`
	} `json:"data"`
}

// number is a whole number that may be written as a text too.
type number int

// UnmarshalJSON reads 8000 and "8000".
func (n *number) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(bytes.Trim(b, `"`), (*int)(n))
}

// take does what the application says.
func (b *bareTalk) take(_ context.Context, binary bool, msg []byte) (bool, error) {
	if binary {
		return false, b.playBare(msg)
	}
	var c command
	if err := json.Unmarshal(msg, &c); err != nil {
		return false, unreadable("a message is not JSON as it should be: %w", err)
	}
	switch c.Type {
	case "disconnect":
		return true, nil
	case "playAudio", "killAudio", "mark", "clearMarks":
		if !b.s.TwoWay {
			return false, fmt.Errorf("%s was ignored: bidirectional audio is disabled", c.Type)
		}
	default:
		return false, fmt.Errorf("%.40q is not a command that the box knows", c.Type)
	}
	switch c.Type {
	case "playAudio":
		return false, b.playClip(c)
	case "killAudio":
		b.end.Clear(false)
	case "clearMarks":
		b.end.Clear(true)
	case "mark":
		if c.Data.Name == "" || len(c.Data.Name) > maxName {
			return false, errors.New("a mark without a name, or with a very long one, was ignored")
		}
		if !b.end.Mark(ofMark + c.Data.Name) {
			return false, errors.New("a mark was ignored: too many wait")
		}
	}
	return false, nil
}

// errFull says that sound was lost.
var errFull = errors.New("it sends more sound than is being heard; what does not fit is lost")

// playBare lets the call hear samples as they come.
func (b *bareTalk) playBare(msg []byte) error {
	if b.down == nil {
		return errors.New("binary messages were ignored: bidirectional audio is not streaming")
	}
	if !b.end.Play(b.down.samples(msg)) {
		return errFull
	}
	return nil
}

// playClip lets the call hear a sound: in place of what plays, or behind it.
func (b *bareTalk) playClip(c command) error {
	if len(c.Data.ID) > maxName {
		return errors.New("a sound with a very long id was ignored")
	}
	raw, err := base64.StdEncoding.DecodeString(c.Data.Content)
	if err != nil {
		return fmt.Errorf("the sound of playAudio is not base64: %w", err)
	}
	samples, err := decodeClip(raw, c.Data.Kind, int(c.Data.Rate))
	if err != nil {
		return err
	}
	b.mu.Lock()
	full := c.Data.Queue && b.clips >= maxClips
	if !full {
		b.clips++
	}
	b.mu.Unlock()
	if full {
		return fmt.Errorf("a sound was dropped: %d wait already", maxClips)
	}
	if !c.Data.Queue {
		b.end.Clear(false)
	}
	whole := b.end.Play(samples)
	if !b.end.Mark(ofClip + c.Data.ID) {
		b.mu.Lock()
		b.clips--
		b.mu.Unlock()
	}
	if !whole {
		return errFull
	}
	return nil
}

// decodeClip gives the samples of a sound at the box's rate.
func decodeClip(raw []byte, kind string, rate int) ([]int16, error) {
	switch kind {
	case "wav", "wave", "audio/wav":
		samples, err := wav.Decode(bytes.NewReader(raw), maxClip)
		if err != nil && !errors.Is(err, media.ErrTooLong) {
			return nil, fmt.Errorf("the sound of playAudio cannot be played: %w", err)
		}
		return samples, nil
	case "raw", "":
	default:
		return nil, fmt.Errorf("the sound of playAudio is %.40q, neither raw nor wav", kind)
	}
	if rate == 0 {
		rate = media.SampleRate
	}
	r, err := newResampler(rate, media.SampleRate)
	if err != nil {
		return nil, fmt.Errorf("the sound of playAudio cannot be played: %w", err)
	}
	samples := r.samples(raw)
	if r.r != nil {
		samples = r.r.Flush(samples)
	}
	return samples, nil
}
