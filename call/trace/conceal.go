package trace

import "bytes"

// secrets are what is struck out behind these words, up to one of the bytes that
// end it. The words are looked for in any case.
var secrets = []struct {
	word string
	end  string
}{
	{"response=", ",\r\n"},    // digest (RFC 7616 §3.4): guessing the password from it is cheap
	{"inline:", "|;\r\n\t "},  // SDES (RFC 4568 §6.1)
	{"a=ice-pwd:", "\r\n"},    // ICE (RFC 8839 §5.4): whoever knows it can lead the sound elsewhere
	{"password=", ",;&\r\n "}, // in URIs and forms
	{"authorization: bearer ", "\r\n"},
	{"authorization: basic ", "\r\n"},
}

// conceal strikes out the secrets of a message in place; its length stays, so
// that Content-Length is still right.
func conceal(b []byte) []byte {
	lower := bytes.ToLower(b)
	if len(lower) != len(b) {
		lower = b // not text of ours: case folding changed its length
	}
	for _, s := range secrets {
		for from := 0; ; {
			i := bytes.Index(lower[from:], []byte(s.word))
			if i < 0 {
				break
			}
			from += i + len(s.word)
			end := bytes.IndexAny(lower[from:], s.end)
			if end < 0 {
				end = len(lower) - from
			}
			for j := from; j < from+end; j++ {
				if b[j] != '"' {
					b[j] = '*'
				}
			}
			from += end
		}
	}
	return b
}
