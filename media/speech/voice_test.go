package speech

import "testing"

func TestResolve(t *testing.T) {
	t.Parallel()
	tests := []struct {
		voice, language, want string
		known                 bool
	}{
		{"", "", "en-us+f3", true},
		{"man", "", "en-us+m3", true},
		{"woman", "en-GB", "en-gb+f3", true},
		{"alice", "pt-BR", "pt-br+f2", true},
		{"Man", "fr", "fr-fr+m3", true},
		{"", "fr-CA", "fr-fr+f3", true},
		{"", "es-MX", "es-419+f3", true},
		{"", "de_DE", "de+f3", true},
		{"", "zh-CN", "cmn+f3", true},
		{"", "zh-HK", "yue+f3", true},
		{"", "nb-NO", "nb+f3", true},
		{"Polly.Hans", "", "de+m3", true},
		{"Polly.Hans", "en-US", "de+m3", true},
		{"polly.joanna-neural", "", "en-us+f4", true},
		{"Polly.Joanna-Generative", "en-GB", "en-gb+f4", true},
		{"Polly.Céline", "", "fr-fr+f1", true},
		{"Amy", "", "en-gb+f4", true},
		{"Google.de-DE-Wavenet-B", "", "de+f2", true},
		{"en-US-Standard-C", "", "en-us+f3", true},
		{"Google.fr-FR-Chirp3-HD-Aoede", "de", "fr-fr+f4", true},
		{"de+m2", "", "de+m2", true},
		{"de", "", "de+f2", true},
		{"Polly.Nobody", "", "en-us+f3", false},
		{"Polly.Nobody", "de-DE", "de+f3", false},
		{"man", "tlh", "en-us+m3", false},
		{"de+/../x", "", "en-us+f3", false},
		{"de+m9", "", "en-us+f3", false},
		{"-w x", "", "en-us+f3", false},
		{"man", "--path=/x", "en-us+m3", false},
	}
	for _, tt := range tests {
		if got, known := Resolve(tt.voice, tt.language); got != tt.want || known != tt.known {
			t.Errorf("%q in %q is %s (known %v), want %s (%v)", tt.voice, tt.language, got, known, tt.want, tt.known)
		}
	}
}

// Whatever is asked for, the name that goes to the command line is made of ours.
func FuzzResolve(f *testing.F) {
	f.Add("Polly.Hans", "de-DE")
	f.Add("de+m2", "--version")
	f.Add("Google.en-US-Wavenet-A", "")
	f.Fuzz(func(t *testing.T, voice, language string) {
		name, _ := Resolve(voice, language)
		for i, b := range []byte(name) {
			if (b < 'a' || b > 'z') && (b < '0' || b > '9') && (i == 0 || b != '-' && b != '+') {
				t.Fatalf("%q in %q is %q", voice, language, name)
			}
		}
	})
}
