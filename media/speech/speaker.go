package speech

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"callbox/media"
)

// Errors that callers branch on.
var (
	// ErrNotInstalled means that there is no espeak-ng on this machine.
	ErrNotInstalled = errors.New("no speech engine: espeak-ng is not installed")
	// ErrText means that the text cannot be spoken: empty, too long, not UTF-8, or
	// SSML that is not well-formed.
	ErrText = errors.New("text cannot be spoken")
)

// Limits of one text.
const (
	// MaxText is the longest text in bytes, markup included.
	MaxText = 16 << 10
	// MaxLength is the longest sound; media.ErrTooLong beyond.
	MaxLength = 15 * time.Minute
)

// Config says how to speak. The zero value is right for a box.
type Config struct {
	// Path of the program; empty: espeak-ng, looked up in PATH.
	Path string
	// CacheBytes bounds the memory of the cache; 0: 8 MiB, negative: no cache.
	CacheBytes int
	// Timeout is the most time for one text, waiting for others included; 0: 30 s.
	Timeout time.Duration
	// Parallel is how many children may run at once; 0: 2.
	Parallel int
}

// Speaker speaks texts. Its methods may be called concurrently. It starts no
// goroutine that outlives a call.
type Speaker struct {
	path    string
	timeout time.Duration
	slots   chan struct{} // one token per running child
	cache   *cache
}

// Defaults of Config.
const (
	program           = "espeak-ng"
	defaultCacheBytes = 8 << 20
	defaultTimeout    = 30 * time.Second
	defaultParallel   = 2
	// killDelay is how long Wait lets a killed child's pipes stay open.
	killDelay = 4 * time.Second
)

// New makes a speaker. Whether the program exists shows in Available and Speak,
// so that it may be installed later.
func New(c Config) *Speaker {
	if c.Path == "" {
		c.Path = program
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = defaultCacheBytes
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Parallel <= 0 {
		c.Parallel = defaultParallel
	}
	return &Speaker{
		path:    c.Path,
		timeout: c.Timeout,
		slots:   make(chan struct{}, c.Parallel),
		cache:   newCache(c.CacheBytes),
	}
}

// Available reports whether the program is there: nil, or an error that wraps
// ErrNotInstalled.
func (s *Speaker) Available() error {
	_, err := s.program()
	return err
}

// program finds the executable.
func (s *Speaker) program() (string, error) {
	path, err := exec.LookPath(s.path)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNotInstalled, err)
	}
	return path, nil
}

// Stats gives the counters of the cache.
func (s *Speaker) Stats() CacheStats { return s.cache.stats() }

// Speak gives the sound of text, SSML if it begins with "<speak". voice is a
// name of the call APIs ("man", "Polly.Joanna") and language a BCP 47 tag
// ("en-GB"); both may be empty, unknown ones fall back as [Resolve] says. The
// error wraps ErrText, ErrNotInstalled, media.ErrTooLong, the error of ctx, or
// tells what the program complained of. The samples are shared with the cache.
func (s *Speaker) Speak(ctx context.Context, text, voice, language string) (*media.Samples, error) {
	clean, ssml, err := prepare(text)
	if err != nil {
		return nil, err
	}
	v, _ := Resolve(voice, language)
	k := key{voice: v, ssml: ssml, text: clean}
	if got, ok := s.cache.get(k); ok {
		return media.ClipOf(got), nil
	}
	path, err := s.program()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the speech engine: %w", ctx.Err())
	}
	if got, ok := s.cache.peek(k); ok { // spoken by another while we waited
		return media.ClipOf(got), nil
	}
	samples, err := run(ctx, path, k)
	if err != nil {
		return nil, err
	}
	s.cache.put(k, samples)
	return media.ClipOf(samples), nil
}

// run speaks one text in a child.
func run(ctx context.Context, path string, k key) ([]int16, error) {
	args := []string{"--stdin", "--stdout", "-b", "1", "-z", "-v", k.voice}
	if k.ssml {
		args = append(args, "-m")
	}
	cmd := exec.CommandContext(ctx, path, args...) // killed when ctx ends
	cmd.WaitDelay = killDelay
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.Stdin = strings.NewReader(k.text + "\n")
	var sound sink
	var complaint head
	cmd.Stdout = &sound
	cmd.Stderr = &complaint
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("speak: %w", ctx.Err())
	case sound.err != nil: // before err: the child dies of a pipe that we closed
		return nil, fmt.Errorf("speak: %w", sound.err)
	case err != nil:
		return nil, fmt.Errorf("speak with %s: %w: %s", k.voice, err, complaint.line())
	}
	samples := sound.finish()
	if len(samples) == 0 {
		return nil, fmt.Errorf("%w: nothing in it makes a sound", ErrText)
	}
	return samples, nil
}

// environment is all that the child needs of ours; it gets nothing else.
func environment() []string {
	env := []string{"LC_ALL=C.UTF-8"}
	for _, name := range []string{"PATH", "ESPEAK_DATA_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
