package corpus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"callbox/media/wav"
)

// Split says what a clip may be used for. No voice, language or text is in two.
type Split int

// The splits.
const (
	Train Split = iota // the model learns from these
	Tune               // its thresholds were chosen on these
	Test               // nobody looks at these but to print the figures
)

func (s Split) String() string { return [...]string{"train", "tune", "test"}[s] }

// Voice is one voice of a speech program.
type Voice struct {
	Engine   string // "espeak-ng", "flite" or "festival"
	Name     string // as the engine names it
	Language string // of the texts it says
	Split    Split
}

func (v Voice) String() string { return v.Engine + " " + v.Name }

// espeakVariants are the speakers of espeak-ng that a split may use.
var espeakVariants = [...][]string{
	Train: {"m1", "m3", "m5", "m6", "m8", "f1", "f3", "Andy", "Annie", "Lee", "Mario", "linda", "max", "belinda", "adam", "steph"},
	Tune:  {"m2", "f2"},
	Test:  {"m4", "m7", "f4", "f5"},
}

var espeakLanguages = [...]map[string][]string{
	Train: {"de": {"de"}, "fr": {"fr-fr"}, "es": {"es", "es-419"}, "it": {"it"}, "fi": {"fi"}, "pl": {"pl"}},
	Tune:  {"nl": {"nl"}, "ca": {"ca"}},
	Test:  {"en": {"en-us", "en-gb"}, "pt": {"pt", "pt-br"}, "cs": {"cs"}},
}

// otherVoices are those of the other programs. festival wants ISO 8859-1 or -15.
var otherVoices = []Voice{
	{"festival", "lp_diphone", "it", Train},
	{"festival", "hy_fi_mv_diphone", "fi", Train},
	{"festival", "upc_ca_ona_hts", "ca", Tune},
	{"festival", "kal_diphone", "en", Test},
	{"festival", "cmu_us_slt_arctic_hts", "en", Test},
	{"flite", "slt", "en", Test},
	{"flite", "rms", "en", Test},
	{"flite", "awb", "en", Test},
	{"flite", "kal", "en", Test},
}

// voicesOf lists a split's voices in a fixed order, by language. Programs that
// are not there are left out when only espeak is asked for.
func voicesOf(s Split, espeakOnly bool) (languages []string, by map[string][]Voice) {
	by = map[string][]Voice{}
	for _, l := range []string{"de", "fr", "es", "it", "fi", "pl", "nl", "ca", "en", "pt", "cs"} {
		names, ok := espeakLanguages[s][l]
		if !ok {
			continue
		}
		languages = append(languages, l)
		for _, n := range names {
			for _, variant := range espeakVariants[s] {
				by[l] = append(by[l], Voice{"espeak-ng", n + "+" + variant, l, s})
			}
		}
		for _, v := range otherVoices {
			// A program's voice is worth as much as all of espeak-ng's together.
			for range len(names) * 2 {
				if !espeakOnly && v.Language == l && v.Split == s {
					by[l] = append(by[l], v)
				}
			}
		}
	}
	return languages, by
}

// maxSaid bounds what one sentence may last.
const maxSaid = time.Minute

// Studio speaks texts and keeps what was spoken. Several goroutines may use it.
type Studio struct {
	// EspeakOnly leaves out flite, festival and the low-rate codecs of sox: quicker,
	// for tests.
	EspeakOnly bool

	mu     sync.Mutex
	spoken map[utterance]*said
}

type utterance struct {
	voice Voice
	text  string
	rate  int // words per minute
	pitch int // 0 to 99
}

type said struct {
	once sync.Once
	pcm  []int16
	err  error
}

// speak gives the samples of a spoken text, 16 bit at 8 kHz without the silence at
// its ends; nobody may write to them.
func (s *Studio) speak(ctx context.Context, u utterance) ([]int16, error) {
	if u.voice.Engine != "espeak-ng" {
		u.rate, u.pitch = 0, 0
	}
	s.mu.Lock()
	if s.spoken == nil {
		s.spoken = map[utterance]*said{}
	}
	e := s.spoken[u]
	if e == nil {
		e = &said{}
		s.spoken[u] = e
	}
	s.mu.Unlock()
	e.once.Do(func() { e.pcm, e.err = synthesise(ctx, u) })
	return e.pcm, e.err
}

func synthesise(ctx context.Context, u utterance) ([]int16, error) {
	var cmd *exec.Cmd
	text := u.text
	switch u.voice.Engine {
	case "espeak-ng":
		cmd = exec.CommandContext(ctx, "espeak-ng", "--stdout", "--stdin", "-v", u.voice.Name, "-s", fmt.Sprint(u.rate), "-p", fmt.Sprint(u.pitch))
	case "flite":
		cmd = exec.CommandContext(ctx, "flite", "-voice", u.voice.Name, "-t", text, "-o", "/dev/stdout")
	case "festival":
		cmd = exec.CommandContext(ctx, "text2wave", "-eval", "(voice_"+u.voice.Name+")")
		text = latin(text)
	default:
		return nil, fmt.Errorf("no speech program %q", u.voice.Engine)
	}
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s says %q: %w: %s", u.voice, u.text, err, strings.TrimSpace(complaint.String()))
	}
	pcm, err := wav.Decode(&out, maxSaid)
	if err != nil {
		return nil, fmt.Errorf("%s says %q: %w", u.voice, u.text, err)
	}
	pcm = bare(pcm)
	if len(pcm) == 0 {
		return nil, fmt.Errorf("%s says %q: %w", u.voice, u.text, errors.New("nothing was heard"))
	}
	return pcm, nil
}

// latin is s in ISO 8859-1, "?" for what it has not.
func latin(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 256:
			b.WriteByte(byte(r))
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// bare is s without the silence at its ends.
func bare(s []int16) []int16 {
	const heard = 60
	loud := func(v int16) bool { return v > heard || v < -heard }
	for len(s) > 0 && !loud(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && !loud(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
