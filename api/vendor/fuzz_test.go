package vendor

import "testing"

// FuzzRead: no message of a vendor panics, and what is read is bounded.
func FuzzRead(f *testing.F) {
	for _, m := range []string{
		`{"type":"transcription","is_final":true,"language":"en-US","channel":1,"alternatives":[{"transcript":"hello","confidence":0.9}]}`,
		`{"type":"transcription","alternatives":[]}`, `{"type":"error","error":"x"}`, `{"type":"hello"}`, `{}`, `[]`, ``,
		`{"type":"transcription","alternatives":[{"confidence":-1},{"confidence":9e99}]}`, `{"type":"transcription","channel":-5}`,
	} {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := read(text, "v")
		if err == nil && (len(r.Alternatives) > maxAlternatives || r.Channel < 1 || r.Confidence() < 0 || r.Confidence() > 1) {
			t.Errorf("%q becomes %+v", text, r)
		}
	})
}
