package vendor

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"callbox/call/script"
	"callbox/media"
	"callbox/media/mp3"
	"callbox/media/wav"
)

// Limits of one text.
const (
	speakTime = 15 * time.Second
	maxText   = 16 << 10
	maxSound  = 16 << 20 // bytes of an answer
	maxLength = 15 * time.Minute
)

// utterance is what a vendor is asked to speak.
type utterance struct {
	Language string `json:"language"`
	Voice    string `json:"voice,omitempty"`
	Type     string `json:"type"` // text or ssml
	Text     string `json:"text"`
}

// Speak has s spoken. The error wraps script.ErrNoSpeech when no such vendor is
// set up.
func (s *Set) Speak(ctx context.Context, x script.Speech) (media.Clip, error) {
	v, ok := s.find(x.Vendor, speaks)
	if !ok {
		return nil, missing(errSpeech, x.Vendor, "turns text into sound")
	}
	if len(x.Text) > maxText {
		return nil, fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	k := spoken{v.Name, v.Speaks, language(x.Language), x.Voice, x.Text}
	if samples, ok := s.cache.get(k); ok {
		return media.ClipOf(samples), nil
	}
	samples, err := s.speak(ctx, v, k)
	if err != nil {
		s.count.failed.Add(1)
		return nil, fmt.Errorf("speech vendor %s: %w", v.Name, err)
	}
	s.count.spoken.Add(1)
	s.cache.put(k, samples)
	return media.ClipOf(samples), nil
}

// speak asks the vendor.
func (s *Set) speak(ctx context.Context, v Vendor, k spoken) ([]int16, error) {
	ctx, cancel := context.WithTimeout(ctx, speakTime)
	defer cancel()
	u := utterance{Language: k.language, Voice: k.voice, Type: "text", Text: k.text}
	if strings.HasPrefix(k.text, "<speak") {
		u.Type = "ssml"
	}
	body, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.Speaks, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its address is not a URL")
	}
	req.Header = s.header(v)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "audio/wav, audio/mpeg, audio/l16")
	resp, err := s.cfg.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is HTTP status %d", resp.StatusCode)
	}
	sound, err := io.ReadAll(io.LimitReader(resp.Body, maxSound+1))
	switch {
	case err != nil:
		return nil, err
	case len(sound) > maxSound:
		return nil, fmt.Errorf("the sound is larger than %d bytes", maxSound)
	}
	return decodeSound(resp.Header.Get("Content-Type"), sound)
}

// header is what every request to a vendor begins with.
func (s *Set) header(v Vendor) http.Header {
	h := http.Header{"User-Agent": {s.cfg.UserAgent}}
	if v.Key != "" {
		h.Set("Authorization", "Bearer "+v.Key)
	}
	return h
}

// decodeSound gives the samples of a sound at 8 kHz.
func decodeSound(kind string, sound []byte) ([]int16, error) {
	typ, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return nil, fmt.Errorf("content type %q of the answer cannot be read", kind)
	}
	var samples []int16
	switch typ {
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		samples, err = wav.Decode(bytes.NewReader(sound), maxLength)
	case "audio/mpeg", "audio/mp3":
		var r *mp3.Reader
		if r, err = mp3.NewReader(io.NopCloser(bytes.NewReader(sound))); err == nil {
			samples, err = wav.Decode(r, maxLength)
		}
	case "audio/l16":
		samples, err = bare(params["rate"], sound)
	default:
		return nil, fmt.Errorf("the answer is %s, it must be audio/wav, audio/mpeg or audio/l16;rate=8000", typ)
	}
	if err != nil {
		return nil, err
	}
	if len(samples) == 0 {
		return nil, errors.New("the sound is empty")
	}
	return samples, nil
}

// bare reads 16-bit samples, little endian, of one channel.
func bare(rate string, sound []byte) ([]int16, error) {
	n := 8000
	if rate != "" {
		var err error
		if n, err = strconv.Atoi(rate); err != nil || n < 8000 || n > 48000 {
			return nil, fmt.Errorf("rate %q of audio/l16 is not 8000 to 48000", rate)
		}
	}
	in := make([]int16, len(sound)/2)
	for i := range in {
		in[i] = int16(binary.LittleEndian.Uint16(sound[2*i:]))
	}
	return media.Resample(in, n, 8000)
}
