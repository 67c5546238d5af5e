package corpus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"callbox/media"
)

// Truth is what answered.
type Truth string

// The truths, in the words of the call APIs where they have one.
const (
	Human   Truth = "human"
	Machine Truth = "machine"
	Fax     Truth = "fax"
	Silence Truth = "silence" // nobody spoke: the verdict is unknown
)

// Clip is an answered call from the answer on.
type Clip struct {
	Name     string
	Class    string // "hello", "mobile, beep", "fax CED", …
	Truth    Truth
	Language string
	Voice    string
	Line     string // what the line did to it
	Sound    []int16
	// Beep is when the machine's beep ended, from the answer; 0 without one.
	Beep time.Duration
	// Spoken is when the first word began, and Ended when the last one ended.
	Spoken, Ended time.Duration
}

// class is one kind of answer.
type class struct {
	name   string
	truth  Truth
	weight int // its share of all clips
	make   func(*scene) error
}

// classes is the table of everything that answers telephones here. The weights
// are shares of a thousand.
var classes = []class{
	{"hello", Human, 170, (*scene).hello},
	{"name", Human, 65, (*scene).name},
	{"business", Human, 75, (*scene).business},
	{"silence, then hello", Human, 25, (*scene).lateHello},
	{"hello twice", Human, 50, (*scene).helloTwice},
	{"cough, then hello", Human, 30, (*scene).coughHello},
	{"hello, others talk", Human, 30, (*scene).othersTalk},
	{"hello in traffic", Human, 35, (*scene).traffic},
	{"hello, music plays", Human, 15, (*scene).musicHello},
	{"ringback, then hello", Human, 15, (*scene).ringbackHello},
	{"mobile", Machine, 110, (*scene).mobile},
	{"landline", Machine, 70, (*scene).landline},
	{"company", Machine, 80, (*scene).company},
	{"greeting with music", Machine, 25, (*scene).musicGreeting},
	{"greeting with a pause", Machine, 40, (*scene).brokenGreeting},
	{"terse", Machine, 35, (*scene).terse},
	{"menu", Machine, 40, (*scene).menu},
	{"screening", Machine, 20, (*scene).screening},
	{"announcement", Machine, 30, (*scene).announcement},
	{"fax", Fax, 25, (*scene).fax},
	{"nobody", Silence, 15, (*scene).nobody},
}

// scene is what happens at the far end, on its way to become a clip.
type scene struct {
	ctx    context.Context
	studio *Studio
	r      *rand.Rand
	clip   *Clip
	texts  texts
	voice  Voice
	rate   int
	pitch  int
	x      []float64 // samples so far, at 8 kHz; a voice has an RMS of about 1
}

// Classes names every class of answer.
func Classes() (names []string) {
	for _, c := range classes {
		names = append(names, c.name)
	}
	return names
}

// ClassOf is the class of clip number n of a split, without making it. A fax's clip
// itself says in [Clip.Class] which kind of fax it is.
func ClassOf(split Split, n int) string {
	languages, _ := voicesOf(split, true)
	_, c := draw(rand.New(rand.NewPCG(uint64(split)+1, uint64(n))), languages)
	return c.name
}

// draw takes the language and the class of a clip.
func draw(r *rand.Rand, languages []string) (string, class) {
	language := languages[r.IntN(len(languages))]
	return language, pick(r)
}

// Clip makes clip number n of a split. It fails when a speech program does.
func (s *Studio) Clip(ctx context.Context, split Split, n int) (*Clip, error) {
	r := rand.New(rand.NewPCG(uint64(split)+1, uint64(n)))
	languages, voices := voicesOf(split, s.EspeakOnly)
	language, c := draw(r, languages)
	t, err := readTexts(language)
	if err != nil {
		return nil, err
	}
	sc := &scene{ctx: ctx, studio: s, r: r, texts: t,
		voice: voices[language][r.IntN(len(voices[language]))],
		rate:  145 + 15*r.IntN(4), pitch: 25 + 15*r.IntN(4),
		clip: &Clip{Name: fmt.Sprintf("%s-%04d", split, n), Class: c.name, Truth: c.truth, Language: language}}
	sc.clip.Voice = sc.voice.String()
	if err := c.make(sc); err != nil {
		return nil, fmt.Errorf("clip %s (%s): %w", sc.clip.Name, c.name, err)
	}
	if c.truth == Fax || c.truth == Silence {
		sc.clip.Language, sc.clip.Voice = "", ""
	}
	if err := sc.line(); err != nil {
		return nil, fmt.Errorf("clip %s (%s): %w", sc.clip.Name, c.name, err)
	}
	return sc.clip, nil
}

func pick(r *rand.Rand) class {
	var sum int
	for _, c := range classes {
		sum += c.weight
	}
	at := r.IntN(sum)
	for _, c := range classes {
		if at -= c.weight; at < 0 {
			return c
		}
	}
	panic("unreachable")
}

func (s *scene) now() time.Duration {
	return time.Duration(len(s.x)) * time.Second / media.SampleRate
}

// between is a time within limits in seconds.
func (s *scene) between(from, to float64) float64 { return from + (to-from)*s.r.Float64() }

func (s *scene) chance(p float64) bool { return s.r.Float64() < p }

// quiet adds so many seconds of silence.
func (s *scene) quiet(seconds float64) {
	s.x = append(s.x, make([]float64, int(seconds*media.SampleRate))...)
}

// text chooses one of a kind, and one of the alternatives of each "(a|b|)" in it.
func (s *scene) text(kind string) string {
	list := s.texts[kind]
	text := list[s.r.IntN(len(list))]
	for {
		before, rest, ok := strings.Cut(text, "(")
		if !ok {
			return text
		}
		inside, after, _ := strings.Cut(rest, ")")
		choice := strings.Split(inside, "|")
		text = before + choice[s.r.IntN(len(choice))] + after
	}
}

// say adds a text at gain times the usual loudness of a voice.
func (s *scene) say(text string, gain float64) error {
	v, err := s.spoken(s.voice, text)
	if err != nil {
		return err
	}
	if s.clip.Spoken == 0 {
		s.clip.Spoken = s.now()
	}
	for _, y := range v {
		s.x = append(s.x, gain*y)
	}
	s.clip.Ended = s.now()
	return nil
}

// spoken is a text as samples with an RMS of 1 over what is loud in it.
func (s *scene) spoken(v Voice, text string) ([]float64, error) {
	pcm, err := s.studio.speak(s.ctx, utterance{v, text, s.rate, s.pitch})
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(pcm))
	for i, y := range pcm {
		out[i] = float64(y)
	}
	scale(out, 1/loudness(out))
	return out, nil
}
