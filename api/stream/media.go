package stream

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/codec"
)

// keyLength is the length that keys are told with: that of most phones. The lines
// tell that a key was pressed, not for how long.
const keyLength = 100 * time.Millisecond

// mediaTalk is the language of media messages (call-api.md §5.5): JSON, with the
// sound in base64.
type mediaTalk struct {
	s   call.Stream
	o   api.StreamOpening
	end script.StreamEnd

	// Of the goroutine that writes.
	seq    int
	chunks [2]int // sent of each track
	up     [2]*resampler
	sound  []byte

	down *resampler // of the goroutine that reads
}

// tracks are the names of the tracks, inbound first.
var tracks = [2]string{"inbound", "outbound"}

func newMedia(s call.Stream, o api.StreamOpening, end script.StreamEnd) (*mediaTalk, error) {
	m := &mediaTalk{s: s, o: o, end: end}
	if s.Rate == 0 {
		return m, nil
	}
	var err error
	for i := range m.up {
		if m.up[i], err = newResampler(media.SampleRate, s.Rate); err != nil {
			return nil, err
		}
	}
	m.down, err = newResampler(s.Rate, media.SampleRate)
	return m, err
}

// carries reports whether the stream carries the track i.
func (m *mediaTalk) carries(i int) bool {
	return m.s.Track == call.TrackBoth || string(m.s.Track) == tracks[i]
}

// next is the number of the next message, as messages write it.
func (m *mediaTalk) next() string {
	m.seq++
	return strconv.Itoa(m.seq)
}

// begin says who is there and what will come.
func (m *mediaTalk) begin() [][]byte {
	type format struct {
		Encoding   string `json:"encoding"`
		SampleRate int    `json:"sampleRate"`
		Channels   int    `json:"channels"`
	}
	type start struct {
		Account    string            `json:"accountSid"`
		Stream     string            `json:"streamSid"`
		Call       string            `json:"callSid"`
		Tracks     []string          `json:"tracks"`
		Format     format            `json:"mediaFormat"`
		Parameters map[string]string `json:"customParameters"`
	}
	f := format{"audio/x-mulaw", media.SampleRate, 1}
	if m.s.Rate != 0 {
		f.Encoding, f.SampleRate = "audio/l16", m.s.Rate
	}
	st := start{Account: m.o.Account, Stream: m.s.ID, Call: m.s.Call, Format: f, Parameters: map[string]string{}}
	for i, name := range tracks {
		if m.carries(i) {
			st.Tracks = append(st.Tracks, name)
		}
	}
	for _, p := range m.s.Parameters {
		st.Parameters[p.Name] = p.Value
	}
	return [][]byte{
		encode(struct {
			Event    string `json:"event"`
			Protocol string `json:"protocol"`
			Version  string `json:"version"`
		}{"connected", "Call", m.o.Version}),
		encode(struct {
			Event  string `json:"event"`
			Seq    string `json:"sequenceNumber"`
			Start  start  `json:"start"`
			Stream string `json:"streamSid"`
		}{"start", m.next(), st, m.s.ID}),
	}
}

// encode writes JSON of which it is known that it can be written.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("{}")
	}
	return b
}

// farewell says that nothing more will come.
func (m *mediaTalk) farewell() []byte {
	type stop struct {
		Account string `json:"accountSid"`
		Call    string `json:"callSid"`
	}
	return encode(struct {
		Event  string `json:"event"`
		Seq    string `json:"sequenceNumber"`
		Stop   stop   `json:"stop"`
		Stream string `json:"streamSid"`
	}{"stop", m.next(), stop{m.o.Account, m.s.Call}, m.s.ID})
}

// piece writes sound, a key or a mark.
func (m *mediaTalk) piece(buf []byte, p *script.StreamPiece) ([][]byte, bool) {
	switch p.Kind {
	case script.StreamKey:
		return [][]byte{m.key(p.Key)}, false
	case script.StreamMark:
		return [][]byte{m.mark(p.Mark)}, false
	case script.StreamSound:
	}
	var list [][]byte
	for i, f := range [2]*media.Frame{&p.In, &p.Out} {
		if !m.carries(i) {
			continue
		}
		from := len(buf)
		buf = m.media(buf, i, f, p.At)
		list = append(list, buf[from:len(buf):len(buf)])
	}
	return list, false
}

// media appends the message that holds a frame of the track i.
//
//	{"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"…"},"streamSid":"MZ…"}
func (m *mediaTalk) media(buf []byte, i int, f *media.Frame, at time.Duration) []byte {
	if m.s.Rate == 0 {
		m.sound = append(m.sound[:0], make([]byte, media.FrameSamples)...)
		m.sound = m.sound[:codec.PCMU.Encode(m.sound, f[:])]
	} else {
		m.sound = m.up[i].bytes(m.sound[:0], f[:])
	}
	m.chunks[i]++
	buf = append(buf, `{"event":"media","sequenceNumber":"`...)
	m.seq++
	buf = strconv.AppendInt(buf, int64(m.seq), 10)
	buf = append(buf, `","media":{"track":"`...)
	buf = append(buf, tracks[i]...)
	buf = append(buf, `","chunk":"`...)
	buf = strconv.AppendInt(buf, int64(m.chunks[i]), 10)
	buf = append(buf, `","timestamp":"`...)
	buf = strconv.AppendInt(buf, at.Milliseconds(), 10)
	buf = append(buf, `","payload":"`...)
	buf = base64.StdEncoding.AppendEncode(buf, m.sound)
	buf = append(buf, `"},"streamSid":`...)
	buf = append(buf, encode(m.s.ID)...)
	return append(buf, '}')
}

// key tells of a key that the far end pressed.
func (m *mediaTalk) key(d byte) []byte {
	type key struct {
		Track  string `json:"track"`
		Length int64  `json:"duration,omitempty"`
		Digit  string `json:"digit"`
	}
	k := key{Track: "inbound_track", Digit: string(rune(d))}
	if m.o.KeyLengths {
		k.Length = keyLength.Milliseconds()
	}
	return encode(struct {
		Event  string `json:"event"`
		Stream string `json:"streamSid"`
		Seq    string `json:"sequenceNumber"`
		Key    key    `json:"dtmf"`
	}{"dtmf", m.s.ID, m.next(), k})
}

// mark tells that what was sent before the mark has been heard, or never will be.
func (m *mediaTalk) mark(name string) []byte {
	return encode(struct {
		Event  string   `json:"event"`
		Stream string   `json:"streamSid"`
		Seq    string   `json:"sequenceNumber"`
		Mark   markName `json:"mark"`
	}{"mark", m.s.ID, m.next(), markName{name}})
}

type markName struct {
	Name string `json:"name"`
}

// said is a message of the application.
type said struct {
	Event string `json:"event"`
	Media struct {
		Payload string `json:"payload"`
	} `json:"media"`
	Mark markName `json:"mark"`
	Key  struct {
		Digit  string `json:"digit"`
		Digits string `json:"digits"`
	} `json:"dtmf"`
}

// maxName bounds the name of a mark in bytes.
const maxName = 1024

// take does what the application says.
func (m *mediaTalk) take(ctx context.Context, binary bool, msg []byte) (bool, error) {
	if binary {
		return false, unreadable("a binary message was ignored: messages are JSON")
	}
	var s said
	if err := json.Unmarshal(msg, &s); err != nil {
		return false, unreadable("a message is not JSON as it should be: %w", err)
	}
	if !m.s.TwoWay {
		return false, fmt.Errorf("%.40q was ignored: the stream goes one way only, see <Connect>", s.Event)
	}
	switch s.Event {
	case "media":
		return false, m.play(s.Media.Payload)
	case "mark":
		if s.Mark.Name == "" || len(s.Mark.Name) > maxName {
			return false, errors.New("a mark without a name, or with a very long one, was ignored")
		}
		if !m.end.Mark(s.Mark.Name) {
			return false, errors.New("a mark was ignored: too many wait")
		}
	case "clear":
		m.end.Clear(false)
	case "dtmf":
		keys := s.Key.Digit + s.Key.Digits
		if !areKeys(keys) {
			return false, fmt.Errorf("keys were ignored: %.40q are none", keys)
		}
		return false, m.end.Press(ctx, keys)
	default:
		return false, fmt.Errorf("%.40q is not an event that the box knows", s.Event)
	}
	return false, nil
}

// areKeys reports whether s is made of telephone keys.
func areKeys(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '*' && c != '#' && (c < 'A' || c > 'D') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// play lets the call hear a payload.
func (m *mediaTalk) play(payload string) error {
	b, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return fmt.Errorf("the payload of a media message is not base64: %w", err)
	}
	var samples []int16
	if m.s.Rate == 0 {
		samples = make([]int16, len(b))
		samples = samples[:codec.PCMU.Decode(samples, b)]
	} else {
		samples = m.down.samples(b)
	}
	if !m.end.Play(samples) {
		return errors.New("it sends more sound than is being heard; what does not fit is lost")
	}
	return nil
}

// resampler turns linear samples of one rate into another.
type resampler struct {
	r   *media.Resampler // nil: the same
	buf []int16
}

func newResampler(from, to int) (*resampler, error) {
	if from == to {
		return &resampler{}, nil
	}
	r, err := media.NewResampler(from, to)
	return &resampler{r: r}, err
}

// write turns samples; the result is good until the next call.
func (x *resampler) write(in []int16) []int16 {
	if x.r == nil {
		return in
	}
	x.buf = x.r.Write(x.buf[:0], in)
	return x.buf
}

// bytes appends the turned samples, little-endian.
func (x *resampler) bytes(dst []byte, in []int16) []byte {
	for _, v := range x.write(in) {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(v))
	}
	return dst
}

// samples turns little-endian bytes into samples of its own; an odd byte at the
// end is dropped.
func (x *resampler) samples(b []byte) []int16 {
	in := make([]int16, len(b)/2)
	for i := range in {
		in[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	if x.r == nil {
		return in
	}
	return x.r.Write(nil, in)
}
