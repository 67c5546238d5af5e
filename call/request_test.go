package call

import "testing"

func TestSpeechWith(t *testing.T) {
	own := Speech{Vendor: "a", Language: "fr-FR", Voice: "Marie", Recognizer: "b", RecognizerLanguage: "fr-FR"}
	if got := own.With(Speech{}); got != own {
		t.Errorf("with nothing: %+v", got)
	}
	all := Speech{Vendor: "c", Language: "en-GB", Voice: "Alice", Recognizer: "d", RecognizerLanguage: "en-US"}
	if got := own.With(all); got != all {
		t.Errorf("with everything: %+v", got)
	}
	if got := own.With(Speech{Voice: "Jean"}); got.Voice != "Jean" || got.Language != "fr-FR" || own.Voice != "Marie" {
		t.Errorf("with a voice: %+v", got)
	}
}
