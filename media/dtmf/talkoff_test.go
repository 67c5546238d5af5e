package dtmf

import (
	"fmt"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
	"callbox/media/speech"
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

// talkers are voices and what each says, one after the other.
var talkers = []struct{ voice, text string }{
	{"en-us+m2", talk[0]}, {"en-us+f5", talk[3]}, {"en-gb+m5", talk[2]}, {"en-gb+f2", talk[5]}, {"en-us+croak", talk[1]},
	{"de+m1", "Guten Tag, Sie sprechen mit der Vermittlung. Bitte nennen Sie mir Ihre Kundennummer: eins, zwei, drei, vier, fünf, sechs, sieben, acht, neun, null."},
	{"fr+f1", "Bonjour, vous êtes en communication avec notre serveur vocal. Veuillez taper votre numéro, puis la touche dièse. Un, deux, trois, quatre, cinq, six."},
	{"es+m6", "Buenos días, gracias por llamar. Para hablar con un agente, espere un momento por favor. Uno, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, cero."},
	{"it+f4", "Buongiorno, tutti i nostri operatori sono occupati. Rimanga in linea per non perdere la priorità acquisita. Uno, due, tre, quattro, cinque."},
	{"pt+m3", "Bom dia, a sua chamada é muito importante para nós. Aguarde um momento, por favor. Um, dois, três, quatro, cinco, seis, sete, oito."},
}

// falseDigits speaks for d, at another level each round, and gives the digits that
// were heard. What is said differs from round to round: there is a number in it.
func falseDigits(t testing.TB, d time.Duration) string {
	t.Helper()
	s := speech.New(speech.Config{})
	var got string
	var said time.Duration
	for i := 0; said < d; i++ {
		who := talkers[i%len(talkers)]
		clip, err := s.Speak(t.Context(), fmt.Sprintf("%s %d.", who.text, 37*i+1000), who.voice, "")
		if err != nil {
			t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
		}
		said += clip.Duration()
		samples, err := media.ReadAll(clip, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_ = clip.Close()
		gain := []int32{256, 128, 512, 64}[i/len(talkers)%4] // of 256
		for k, v := range samples {
			samples[k] = media.Clamp(int32(v) * gain / 256)
		}
		got += detect(samples)
	}
	return got
}

// Twelve minutes of ten voices in six languages at four levels: no key. The
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
