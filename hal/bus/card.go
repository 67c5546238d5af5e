package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gen2brain/alsa"

	"callbox/hal"
)

// CardConfig says which sound card to open.
type CardConfig struct {
	// IDs are the card's possible names in /proc/asound/cards, best first. Names
	// stay when numbers change.
	IDs []string
	// Channels is 1 or 2.
	Channels int
	// Levels are the card's controls that are set whenever it is opened, in percent of
	// their range; of switches 0 is off. One that cannot be set is told to Log.
	Levels map[string]int
	// Log gets a line when the card fails and when it is back; nil: none.
	Log *slog.Logger
}

// ErrNoCard means that none of the named sound cards is there, ErrBusyCard that
// another program has it.
var (
	ErrNoCard   = errors.New("no such sound card")
	ErrBusyCard = errors.New("another program uses the sound card; end it, or have it use another")
)

const (
	pollTime   = 100 * time.Millisecond // a stream that is to stop notices within this time
	stallTime  = time.Second            // a stream without sound for so long has failed
	reopenTime = 5 * time.Second
)

// stream is the part of an ALSA stream that is used here.
type stream interface {
	Wait(timeoutMs int) (bool, error)
	Read(data any) (int, error)
	Write(data any) (int, error)
	Prepare() error
	Start() error
	Close() error
}

// delayer is a stream that knows how many samples per channel are between its
// caller and the wire. ALSA's are; echo needs it.
type delayer interface {
	Delay() (int, error)
}

// opener opens both directions of a card; tests replace it.
type opener func() (capture, playback stream, err error)

// Card is an open sound card. A card that fails (unplugged, stuck) is closed and
// opened again every 5 s; until then its channels give errors.
type Card struct {
	name     string
	open     opener
	log      *slog.Logger
	channels []*Channel
	stop     chan struct{}
	done     chan struct{}
	once     sync.Once
}

// OpenCard opens the first of c.IDs that is there, at 8,000 Hz, or at a
// rate of its own that is converted. The error wraps ErrNoCard when none is, and
// ErrBusyCard. The caller closes the card.
func OpenCard(c CardConfig) (*Card, error) {
	if c.Channels < 1 || c.Channels > 2 {
		return nil, fmt.Errorf("%d channels of sound: want 1 or 2", c.Channels)
	}
	return openCard(strings.Join(c.IDs, ", "), c.Channels, c.Log, func() (stream, stream, error) {
		n, err := findCard(c.IDs)
		if err != nil {
			return nil, nil, err
		}
		if err := mixCard(n, c.Levels); err != nil && c.Log != nil {
			c.Log.Warn("a level of the sound card cannot be set; amixer -c lists its controls", "card", n, "err", err)
		}
		return openStreams(n, c.Channels)
	})
}

func openCard(name string, channels int, log *slog.Logger, open opener) (*Card, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	in, out, err := open()
	if err != nil {
		return nil, err
	}
	c := &Card{name: name, open: open, log: log, stop: make(chan struct{}), done: make(chan struct{})}
	for range channels {
		c.channels = append(c.channels, newChannel())
	}
	go c.run(in, out)
	return c, nil
}

// findCard gives the number of the first card whose ID is wanted.
func findCard(ids []string) (uint, error) {
	cards, err := alsa.EnumerateCards()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoCard, err)
	}
	var there []string
	for _, id := range ids {
		for _, c := range cards {
			if c.Name == id {
				return uint(c.ID), nil
			}
		}
	}
	for _, c := range cards {
		there = append(there, c.Name)
	}
	return 0, fmt.Errorf("%w: want one of %s, there are: %s", ErrNoCard, strings.Join(ids, ", "), strings.Join(there, ", "))
}

// rates are what a card is asked for: its sound as it is used here, else what every
// USB adapter has.
var rates = []int{hal.SampleRate, 48000, 44100}

// openStreams opens card n in both directions.
func openStreams(n uint, channels int) (capture, playback stream, err error) {
	in, err := openStream(n, channels, alsa.PCM_IN)
	if err != nil {
		return nil, nil, fmt.Errorf("open sound card %d for capture: %w", n, err)
	}
	out, err := openStream(n, channels, alsa.PCM_OUT)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open sound card %d for playback: %w", n, err), in.Close())
	}
	return in, out, nil
}

// openStream opens one direction: at 8,000 Hz with the channels that are wanted, or
// with what the card has instead.
func openStream(n uint, channels int, direction alsa.PcmFlag) (stream, error) {
	var first error
	for _, rate := range rates {
		for own := channels; own <= 2; own++ {
			c := alsa.Config{Channels: uint32(own), Rate: uint32(rate), Format: alsa.SNDRV_PCM_FORMAT_S16_LE,
				PeriodSize: uint32(blockOf(rate)), PeriodCount: periods}
			s, err := alsa.PcmOpen(n, 0, direction|alsa.PCM_NONBLOCK|alsa.PCM_NORESTART, &c)
			switch {
			case errors.Is(err, syscall.EBUSY):
				return nil, fmt.Errorf("%w: %w", ErrBusyCard, err)
			case err == nil && (int(s.Rate()) != rate || int(s.Channels()) != own):
				err = errors.Join(fmt.Errorf("it runs at %d Hz with %d channels", s.Rate(), s.Channels()), s.Close())
			case err == nil:
				return convert(s, rate, own, channels, direction == alsa.PCM_IN)
			}
			if first == nil {
				first = err
			}
		}
	}
	return nil, first
}

// Channels are the card's channels: left, right.
func (c *Card) Channels() []*Channel { return slices.Clone(c.channels) }

// Close closes the card and its channels and waits for its goroutines.
func (c *Card) Close() error {
	c.once.Do(func() { close(c.stop) })
	<-c.done
	return nil
}

// run keeps the card open until stop.
func (c *Card) run(in, out stream) {
	defer close(c.done)
	defer func() {
		for _, ch := range c.channels {
			_ = ch.Close()
		}
	}()
	for {
		err := c.pump(in, out)
		if err == nil {
			return
		}
		c.setDown(fmt.Errorf("sound card %s: %w", c.name, err))
		c.log.Error("sound card failed", "card", c.name, "err", err)
		if in, out = c.reopen(); in == nil {
			return
		}
		c.log.Info("sound card is back", "card", c.name)
		c.setDown(nil)
	}
}

// reopen tries until it works; nil when the card is to stop.
func (c *Card) reopen() (in, out stream) {
	t := time.NewTicker(reopenTime)
	defer t.Stop()
	for {
		select {
		case <-c.stop:
			return nil, nil
		case <-t.C:
		}
		in, out, err := c.open()
		if err == nil {
			return in, out
		}
		c.setDown(fmt.Errorf("sound card %s: %w", c.name, err))
	}
}

func (c *Card) setDown(err error) {
	for _, ch := range c.channels {
		ch.setDown(err)
	}
}

// pump moves sound both ways until stop (nil) or a failure, and closes the
// streams.
func (c *Card) pump(in, out stream) error {
	quit := make(chan struct{}) // closed when either direction has ended
	var once sync.Once
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, f := range []func(<-chan struct{}) error{
		func(quit <-chan struct{}) error { return c.capture(in, quit) },
		func(quit <-chan struct{}) error { return c.playback(out, quit) },
	} {
		wg.Go(func() {
			defer once.Do(func() { close(quit) })
			errs[i] = f(quit)
		})
	}
	select {
	case <-c.stop:
		once.Do(func() { close(quit) })
	case <-quit:
	}
	wg.Wait()
	_, _ = in.Close(), out.Close()
	return errors.Join(errs...)
}

// capture reads until quit.
func (c *Card) capture(s stream, quit <-chan struct{}) error {
	if err := s.Start(); err != nil {
		return fmt.Errorf("start capture: %w", err)
	}
	block := make([]int16, period*len(c.channels))
	return c.loop(s, quit, s.Start, func() (int, error) {
		n, err := s.Read(block)
		if n > 0 { // a short read is whole frames too
			for i, ch := range c.channels {
				ch.captured(block[:n*len(c.channels)], i, len(c.channels))
			}
			c.align(s, (*Channel).inAt)
		}
		return n, err
	})
}

// playback writes until quit.
func (c *Card) playback(s stream, quit <-chan struct{}) error {
	block := make([]int16, period*len(c.channels))
	var rest []int16 // of block, not yet written
	prefill := func() error {
		clear(block)
		rest = nil
		for range periods / 2 {
			if _, err := s.Write(block); err != nil && !errors.Is(err, syscall.EAGAIN) {
				return err
			}
		}
		return nil
	}
	if err := s.Prepare(); err != nil {
		return fmt.Errorf("prepare playback: %w", err)
	}
	if err := prefill(); err != nil {
		return fmt.Errorf("start playback: %w", err)
	}
	return c.loop(s, quit, prefill, func() (int, error) {
		if len(rest) == 0 {
			for i, ch := range c.channels {
				ch.play(block, i, len(c.channels))
			}
			rest = block
		}
		n, err := s.Write(rest)
		if rest = rest[n*len(c.channels):]; len(rest) == 0 {
			c.align(s, (*Channel).outAt)
		}
		return n, err
	})
}

// align tells the channels how far a stream is from the wire now.
func (c *Card) align(s stream, tell func(*Channel, int, time.Time)) {
	d, ok := s.(delayer)
	if !ok {
		return
	}
	n, err := d.Delay()
	if err != nil {
		return // an xrun, which the next move finds
	}
	now := time.Now()
	for _, ch := range c.channels {
		tell(ch, n, now)
	}
}

// loop moves blocks with move whenever the stream is ready. Xruns and suspends
// are repaired with Prepare and then restart; everything else is a failure.
func (c *Card) loop(s stream, quit <-chan struct{}, restart func() error, move func() (int, error)) error {
	last := time.Now()
	for {
		select {
		case <-quit:
			return nil
		default:
		}
		ready, err := s.Wait(int(pollTime.Milliseconds()))
		if err == nil && ready {
			var n int
			if n, err = move(); n > 0 {
				last = time.Now()
			}
		}
		switch {
		case err == nil, errors.Is(err, syscall.EAGAIN):
			if time.Since(last) > stallTime {
				return fmt.Errorf("no sound for %v", stallTime)
			}
		case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ESTRPIPE):
			if err := s.Prepare(); err != nil {
				return fmt.Errorf("repair: %w", err)
			}
			if err := restart(); err != nil {
				return fmt.Errorf("restart: %w", err)
			}
			for _, ch := range c.channels {
				ch.recovered()
			}
		case errors.Is(err, syscall.ENODEV):
			return fmt.Errorf("%w: %w", hal.ErrGone, err)
		default:
			return err
		}
	}
}
