package speech

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
)

func TestPrepare(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, want string
		ssml     bool
	}{
		{"Hello, world.", "Hello, world.", false},
		{"  Guten\tTag,\nWelt ", "Guten Tag, Welt", false},
		{"5 < 6 & 7 > 6", "5 < 6 & 7 > 6", false},
		{"a [[h@l]] b [[[ c", "a [ [h@l]] b [ [ [ c", false},
		{"x \x0150S y \x00 z \u0085 \ue001", "x  50S y   z    ", false},
		{"<b>bold</b>", "<b>bold</b>", false},
		{"<speak>Hi</speak>", "<speak>Hi</speak>", true},
		{`<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis">Hi</speak>`, "<speak>Hi</speak>", true},
		{`<speak>Tom &amp; Jerry &lt;3 &#91;&#91;x</speak>`, "<speak>Tom &amp; Jerry &lt;3 [ [x</speak>", true},
		{`<speak>a<break time="500ms"/>b<break strength='weak' x="y"/></speak>`, `<speak>a<break time="500ms"></break>b<break strength="weak"></break></speak>`, true},
		{`<speak>a<audio src="/etc/passwd">b<desc>c</desc></audio>d</speak>`, "<speak>abd</speak>", true},
		{`<speak><p>a</p><s>b</s><w>c</w><unknown x="y">d</unknown></speak>`, "<speak><p>a</p><s>b</s>cd</speak>", true},
		{`<speak><prosody rate="+10%" pitch="x;y">a</prosody></speak>`, `<speak><prosody rate="+10%">a</prosody></speak>`, true},
		{`<speak><prosody pitch="+20%">a<prosody pitch="x-high" rate="slow">b</prosody></prosody></speak>`, `<speak><prosody pitch="+39%">a<prosody rate="slow" pitch="+86%">b</prosody></prosody></speak>`, true},
		{`<speak><prosody pitch="-100%">a</prosody><prosody pitch="+12st">b</prosody><prosody pitch="150Hz">c</prosody><prosody pitch="+nan%">d</prosody></speak>`,
			`<speak><prosody pitch="-100%">a</prosody><prosody pitch="+100%">b</prosody><prosody pitch="150Hz">c</prosody><prosody pitch="+nan%">d</prosody></speak>`, true},
		{`<speak><sub alias="for &lt;your&gt; information">FYI</sub>!</speak>`, "<speak>for &lt;your&gt; information!</speak>", true},
		{`<speak><lang xml:lang="fr-FR">Bonjour</lang> x</speak>`, `<speak><voice xml:lang="fr-fr">Bonjour</voice> x</speak>`, true},
		{`<speak xml:lang="de">Tag</speak>`, `<speak><voice xml:lang="de">Tag</voice></speak>`, true},
		{`<speak><lang xml:lang="../../x">a</lang><lang xml:lang="tlh">b</lang></speak>`, "<speak>ab</speak>", true},
		{`<speak><voice name="/etc/passwd">a</voice></speak>`, "<speak>a</speak>", true},
		{`<speak>a[<!-- x -->[<mark name="m"/>[b</speak>`, "<speak>a[ [ [b</speak>", true},
		{`<speak><say-as interpret-as="date" format="dmy">1/2/2003</say-as></speak> trailing`, `<speak><say-as interpret-as="date" format="dmy">1/2/2003</say-as></speak>`, true},
		{`<speak><say-as interpret-as="Digits">12</say-as><say-as interpret-as="spell-out">ab</say-as></speak>`,
			`<speak><say-as interpret-as="tts:digits">12</say-as><say-as interpret-as="characters">ab</say-as></speak>`, true},
		{`<speak><metadata>no <p>no</p></metadata>yes</speak>`, "<speak>yes</speak>", true},
		{`<speak><![CDATA[<audio src="x"/>]]></speak>`, `<speak>&lt;audio src="x"/&gt;</speak>`, true},
	}
	for _, tt := range tests {
		got, ssml, err := prepare(tt.in)
		if err != nil || got != tt.want || ssml != tt.ssml {
			t.Errorf("%q became %q (%v, %v), want %q", tt.in, got, ssml, err, tt.want)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "  \n\t ", "\x01\x02", "caf\xe9", strings.Repeat("a", MaxText+1),
		"<speak>", "<speak>a</p></speak>", "<speak>&unknown;</speak>", "<speak>a & b</speak>", "<speak", "<speaker>a</speaker>",
		"<speak>a</speak><speak>b</speak>", `<speak><!DOCTYPE x [<!ENTITY a "b">]>a</speak>`,
		"<speak>" + strings.Repeat("<p>", maxDepth) + "a" + strings.Repeat("</p>", maxDepth) + "</speak>",
	} {
		if got, _, err := prepare(in); !errors.Is(err, ErrText) {
			t.Errorf("%.40q became %.40q: %v", in, got, err)
		}
	}
}

// FuzzPrepare holds what keeps the child harmless: whatever comes in, only
// allowed elements and attributes come out, and no commands of the program.
func FuzzPrepare(f *testing.F) {
	f.Add("Hello [[h@l]] \x01 50S")
	f.Add(`<speak>a<audio src="/etc/passwd">b</audio><lang xml:lang="de">c</lang></speak>`)
	f.Add(`<speak><sub alias="[[x]]">y</sub>[<b/>[<break time="1s"/></speak>`)
	f.Add(`<speak xmlns:x="y"><x:prosody x:rate="slow">a</x:prosody></speak>`)
	f.Fuzz(func(t *testing.T, in string) {
		out, ssml, err := prepare(in)
		if err != nil {
			if !errors.Is(err, ErrText) {
				t.Fatal(err)
			}
			return
		}
		if strings.Contains(out, "[[") || strings.ContainsFunc(out, unicode.IsControl) {
			t.Fatalf("%q became %q", in, out)
		}
		if !ssml {
			return
		}
		d := xml.NewDecoder(strings.NewReader(out))
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("%q became %q: %v", in, out, err)
			}
			start, ok := tok.(xml.StartElement)
			if !ok {
				continue
			}
			attrs, known := allowed[start.Name.Local]
			switch start.Name.Local {
			case "speak", "voice":
				attrs, known = []string{"lang"}, true
			}
			if !known {
				t.Fatalf("%q became %q", in, out)
			}
			for _, a := range start.Attr {
				if !strings.Contains(" "+strings.Join(attrs, " ")+" ", " "+a.Name.Local+" ") || !value.MatchString(a.Value) {
					t.Fatalf("%q became %q", in, out)
				}
			}
		}
	})
}
