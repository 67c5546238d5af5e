package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"callbox/api/hook"
	"callbox/api/vendor"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/dtmf"
	"callbox/media/mp3"
	"callbox/media/speech"
	"callbox/media/tone"
	"callbox/media/wav"
)

// prompts makes the sounds that verbs play: files from hooks' servers, files in
// the box's own folder of sounds, and spoken texts.
type prompts struct {
	hooks   *hook.Client
	vendors *vendor.Set
	voice   *speech.Speaker
	sounds  string // the folder; it need not exist
}

var _ script.Prompts = (*prompts)(nil)

func newPrompts(h *hook.Client, v *vendor.Set, sounds string) *prompts {
	return &prompts{hooks: h, vendors: v, voice: speech.New(speech.Config{}), sounds: sounds}
}

// Open gives the sound at a URL, or that of a file in the folder of sounds. Bare
// µ-law is told by its content type or its name; everything else must be WAV or MP3.
func (p *prompts) Open(ctx context.Context, url string) (media.Clip, error) {
	if name, ok := strings.CutPrefix(url, script.FileScheme); ok {
		return p.openFile(strings.TrimLeft(name, "/"))
	}
	// The clip goes on reading after this has returned: from then on it ends with
	// its Close and no longer with ctx.
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	body, typ, err := p.hooks.Open(reading, url)
	stop()
	if err != nil {
		cancel()
		return nil, err
	}
	body = closing{body, cancel}
	return clipOf(body, typ, url)
}

// openFile opens a sound that lies on the box. No name leads out of the folder,
// not even through a link.
func (p *prompts) openFile(name string) (media.Clip, error) {
	root, err := os.OpenRoot(p.sounds)
	if err != nil {
		return nil, fmt.Errorf("the box has no folder of sounds: make %s and put %s there", p.sounds, name)
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open the sound %s: %w", name, err)
	}
	return clipOf(f, "", name)
}

// clipOf plays what arrives; it owns body, also when it fails.
func clipOf(body io.ReadCloser, typ, url string) (media.Clip, error) {
	if strings.HasPrefix(typ, "audio/basic") || strings.HasPrefix(typ, "audio/x-mulaw") || strings.HasSuffix(url, ".ulaw") {
		return wav.NewULawClip(body), nil
	}
	begin := bufio.NewReader(body)
	body = readCloser{begin, body}
	if b, err := begin.Peek(mp3.Sniff); err == nil && mp3.Is(b) {
		if body, err = mp3.NewReader(body); err != nil {
			return nil, fmt.Errorf("the sound cannot be played: %w", err)
		}
	}
	clip, err := wav.NewClip(body)
	if err != nil {
		return nil, fmt.Errorf("the sound cannot be played: %w", err)
	}
	return clip, nil
}

// readCloser reads from one and closes the other.
type readCloser struct {
	io.Reader
	io.Closer
}

// closing frees the request of a body when that is closed.
type closing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the request.
func (c closing) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

// Speaks reports whether there is a speech vendor of this name.
func (p *prompts) Speaks(vendor string) bool { return p.vendors.Speaks(vendor) }

// Speak gives a spoken text: of the vendor that is named, else of the default
// one, else in the box's own voice.
func (p *prompts) Speak(ctx context.Context, s script.Speech) (media.Clip, error) {
	if p.vendors.Speaks(s.Vendor) {
		return p.vendors.Speak(ctx, s)
	}
	clip, err := p.voice.Speak(ctx, s.Text, s.Voice, s.Language)
	if errors.Is(err, speech.ErrNotInstalled) {
		return nil, fmt.Errorf("%w: %w", script.ErrNoSpeech, err)
	}
	return clip, err
}

// digitTones gives the tones of a digit string, each of this length.
func digitTones(digits string, length time.Duration) (media.Clip, error) {
	return dtmf.New(digits, dtmf.Config{On: length})
}

// ringback gives a country's ringback tone without end; "" is the box's country.
func (a *app) ringback(country string) media.Clip {
	if country == "" {
		country = a.config().Country
	}
	c, ok := tone.ByCountry(country)
	if !ok {
		c, _ = tone.ByCountry(tone.DefaultCountry)
	}
	return endless{tone.New(c.Ringback, tone.DefaultLevel)}
}

// endless is a tone as a clip.
type endless struct{ *tone.Generator }

// Close does nothing: a tone holds nothing.
func (endless) Close() error { return nil }
