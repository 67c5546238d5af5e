package dtmf

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
	"callbox/media/speech"
	"callbox/media/wav"
)

// talk is spoken to the detector: digits, vowels, names, long sentences.
var talk = []string{
	"Thank you for calling. For sales, press one. For support, press two. To hear this message again, press nine.",
	"Zero one two three four five six seven eight nine ten eleven twelve. Star, hash, pound, A, B, C, D.",
	"The quick brown fox jumps over the lazy dog while seven wizards quietly juggle boxing gloves.",
	"How are you? We were away a year ago. Ooh, aah, eee, oh, you owe me. La la la, me me me, do re mi fa so la ti do.",
	"Please hold the line, all our agents are busy at the moment; your call will be answered in the order it was received.",
	"Peter Piper picked a peck of pickled peppers. She sells sea shells on the sea shore. Whistle, sizzle, hiss and buzz.",
}

// TestTalkOff has voices of all pitches say everything, at a loud and a normal
// level and through A-law: no word may be taken for a key.
func TestTalkOff(t *testing.T) {
	t.Parallel()
	s := speech.New(speech.Config{})
	if err := s.Available(); err != nil {
		t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
	}
	var spoken time.Duration
	for _, voice := range []string{"en-us+m1", "en-us+m3", "en-us+m7", "en-us+f1", "en-us+f2", "en-us+f3", "en-us+f4", "en-us+f5", "en-gb+m2", "en-gb+f4", "de+f3", "fr+m4", "es+f2"} {
		for _, text := range talk {
			clip, err := s.Speak(t.Context(), text, voice, "")
			if err != nil {
				t.Fatal(err)
			}
			spoken += clip.Duration()
			samples := readAll(t, clip)
			if got := detect(samples); got != "" {
				t.Errorf("%s saying %q: detected %q", voice, text, got)
			}
			loud := make([]int16, len(samples))
			coded := make([]byte, len(samples))
			for i, v := range samples {
				loud[i] = media.Clamp(3 * int32(v))
			}
			codec.PCMA.Encode(coded, loud)
			codec.PCMA.Decode(loud, coded)
			if got := detect(loud); got != "" {
				t.Errorf("%s saying %q loudly: detected %q", voice, text, got)
			}
		}
	}
	if spoken < 5*time.Minute {
		t.Errorf("only %v of speech was tried", spoken)
	}
}

// talkers are voices and what each says, one after the other: of espeak-ng, which
// computes them, and of flite, which puts them together of what people have said.
var talkers = []struct{ voice, text string }{
	{"en-us+m2", talk[0]}, {"en-us+f5", talk[3]}, {"en-gb+m5", talk[2]}, {"en-gb+f2", talk[5]}, {"en-us+croak", talk[1]},
	{"de+m1", "Guten Tag, Sie sprechen mit der Vermittlung. Bitte nennen Sie mir Ihre Kundennummer: eins, zwei, drei, vier, fünf, sechs, sieben, acht, neun, null."},
	{"fr+f1", "Bonjour, vous êtes en communication avec notre serveur vocal. Veuillez taper votre numéro, puis la touche dièse. Un, deux, trois, quatre, cinq, six."},
	{"es+m6", "Buenos días, gracias por llamar. Para hablar con un agente, espere un momento por favor. Uno, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, cero."},
	{"it+f4", "Buongiorno, tutti i nostri operatori sono occupati. Rimanga in linea per non perdere la priorità acquisita. Uno, due, tre, quattro, cinque."},
	{"flite slt", talk[1]}, {"flite rms", talk[3]}, {"flite awb", talk[4]}, {"flite kal", talk[5]},
	{"pt+m3", "Bom dia, a sua chamada é muito importante para nós. Aguarde um momento, por favor. Um, dois, três, quatro, cinco, seis, sete, oito."},
}

// falseDigits speaks for d, at another level each round, and gives the digits that
// were heard. What is said differs from round to round: there is a number in it.
func falseDigits(t testing.TB, d time.Duration) string {
	t.Helper()
	s := speech.New(speech.Config{})
	var got string
	var said time.Duration
	_, missing := exec.LookPath("flite")
	if missing != nil {
		t.Logf("without the voices of flite (apt-get install flite): %v", missing)
	}
	for i := 0; said < d; i++ {
		who := talkers[i%len(talkers)]
		text := fmt.Sprintf("%s %d.", who.text, 37*i+1000)
		var samples []int16
		if voice, recorded := strings.CutPrefix(who.voice, "flite "); !recorded {
			samples = spoken(t, s, text, who.voice)
		} else if missing == nil {
			samples = flite(t, text, voice)
		}
		said += media.DurationOf(len(samples))
		gain := []int32{256, 128, 512, 64}[i/len(talkers)%4] // of 256
		for k, v := range samples {
			samples[k] = media.Clamp(int32(v) * gain / 256)
		}
		got += detect(samples)
	}
	return got
}

// spoken is a text as espeak-ng says it.
func spoken(t testing.TB, s *speech.Speaker, text, voice string) []int16 {
	t.Helper()
	clip, err := s.Speak(t.Context(), text, voice, "")
	if err != nil {
		t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
	}
	defer clip.Close() //nolint:errcheck // a clip in memory
	samples, err := media.ReadAll(clip, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

// flite is a text as that program says it.
func flite(t testing.TB, text, voice string) []int16 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "flite", "-voice", voice, "-t", text, "-o", "/dev/stdout").Output()
	if err != nil {
		t.Fatalf("flite says %q: %v", text, err)
	}
	samples, err := wav.Decode(bytes.NewReader(out), time.Minute)
	if err != nil || media.DBm0(samples) < -40 {
		t.Fatalf("flite says %q: %v, %.1f dBm0", text, err, media.DBm0(samples))
	}
	return samples
}

// Twelve minutes of fourteen voices in six languages at four levels: no key. The
// benchmark goes on for an hour.
func TestTalkOffOfManyVoices(t *testing.T) {
	t.Parallel()
	if got := falseDigits(t, 12*time.Minute); got != "" {
		t.Errorf("digits in speech: %q", got)
	}
}

// BenchmarkTalkOff prints how many false digits there are in an hour of speech.
func BenchmarkTalkOff(b *testing.B) {
	digits, hours := 0, 0
	for b.Loop() {
		digits += len(falseDigits(b, time.Hour))
		hours++
	}
	b.ReportMetric(float64(digits)/float64(hours), "digits/hour")
}

// Keys pressed while the far end hears, and echoes, a prompt.
func TestKeysOverAnEchoOfSpeech(t *testing.T) {
	t.Parallel()
	sp := speech.New(speech.Config{})
	clip, err := sp.Speak(t.Context(), talk[0], "woman", "")
	if err != nil {
		t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
	}
	prompt := readAll(t, clip)
	s := (&sound{}).pause(25 * ms)
	for i := range len(keys) {
		s.key(keys[i], 100*ms).pause(100 * ms)
	}
	for i := range s.x {
		s.x[i] += float64(prompt[i]) / 8 // 18 dB of echo return loss
	}
	if got := detect(s.samples()); got != keys {
		t.Errorf("got %q", got)
	}
}
