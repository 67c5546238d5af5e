//go:build e2e

package e2e

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// speechVendor is a speech vendor in the shape of jambonz' custom ones. It hears a
// second of silence behind speech as the end of it, and always the same text.
type speechVendor struct {
	*httptest.Server
	t      *testing.T
	speaks []int16
	voices map[string][]int16 // by text, in place of speaks

	mu     sync.Mutex
	asked  []map[string]any // texts to be spoken
	starts []map[string]any // first messages
	heard  [][]int16        // by connection
}

const vendorKey = "speech-key-1234"

func newSpeechVendor(t *testing.T, speaks []int16) *speechVendor {
	v := &speechVendor{t: t, speaks: speaks}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

// config is the part of the configuration that sets it up.
func (v *speechVendor) config() string {
	return fmt.Sprintf("speech_vendors:\n- {name: parrot, tts_url: %q, stt_url: %q, key: %s}\n",
		v.URL+"/tts", "ws"+strings.TrimPrefix(v.URL, "http")+"/stt", vendorKey)
}

func (v *speechVendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+vendorKey {
		v.t.Errorf("the vendor was asked with %q", r.Header.Get("Authorization"))
	}
	if r.URL.Path == "/stt" {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			v.t.Error(err)
			return
		}
		v.listen(r.Context(), c)
		return
	}
	var u map[string]any
	b, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(b, &u); err != nil {
		v.t.Error(err)
	}
	v.mu.Lock()
	v.asked = append(v.asked, u)
	v.mu.Unlock()
	w.Header().Set("Content-Type", "audio/wav")
	says, ok := v.voices[fmt.Sprint(u["text"])]
	if !ok {
		says = v.speaks
	}
	_, _ = w.Write(wavBytes(says))
}

func (v *speechVendor) listen(ctx context.Context, c *websocket.Conn) {
	defer c.CloseNow() //nolint:errcheck // it may be closed
	var first map[string]any
	_, b, err := c.Read(ctx)
	if err != nil || json.Unmarshal(b, &first) != nil {
		v.t.Errorf("%v in %s", err, b)
		return
	}
	v.mu.Lock()
	v.starts, v.heard = append(v.starts, first), append(v.heard, nil)
	n := len(v.heard) - 1
	v.mu.Unlock()
	loud, quiet := 0, 0
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageText { // stop
			_ = c.Close(websocket.StatusNormalClosure, "")
			return
		}
		v.mu.Lock()
		for len(b) >= 2 {
			x := int16(binary.LittleEndian.Uint16(b))
			v.heard[n], b = append(v.heard[n], x), b[2:]
			if x > 2000 || x < -2000 {
				loud, quiet = loud+1, 0
			} else {
				quiet++
			}
		}
		v.mu.Unlock()
		var m string
		switch {
		case loud == -1: // all was said
		case loud > 400 && quiet > rate:
			m, loud = `{"type":"transcription","is_final":true,"language":"en-US","channel":1,"alternatives":[{"transcript":"the weather is fine today","confidence":0.93}]}`, -1
		case loud > 400:
			m = `{"type":"transcription","is_final":false,"language":"en-US","channel":1,"alternatives":[{"transcript":"the weather","confidence":0.4}]}`
		}
		if loud < 0 {
			loud = -1 << 30
		}
		if m != "" && c.Write(ctx, websocket.MessageText, []byte(m)) != nil {
			return
		}
	}
}

// texts are those that it was to speak so far.
func (v *speechVendor) texts() (out []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, u := range v.asked {
		out = append(out, fmt.Sprint(u["text"]))
	}
	return out
}

// sound is what arrived on the n-th connection.
func (v *speechVendor) sound(n int) []int16 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n >= len(v.heard) {
		v.t.Fatalf("%d connections", len(v.heard))
	}
	return append([]int16(nil), v.heard[n]...)
}

// hears reports whether something was said to it on any connection.
func (v *speechVendor) hears(says []int16) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.heard, func(s []int16) bool { return similarity(s, says) > 0.9 })
}

// TestSpeechJambonz: a phone's speech arrives at the vendor, and its text at the
// hooks; the vendor's voice arrives at the phone.
func TestSpeechJambonz(t *testing.T) {
	t.Parallel()
	voice, says := speak(t, "Please tell me how the weather is, I cannot see it."), speak(t, "The weather is fine today, not a cloud can be seen anywhere.")
	v := newSpeechVendor(t, voice)
	g := startGateway(t, twoUsers+v.config())
	a := newApp(t)
	hooks := map[string]chan map[string]any{}
	answer := map[string]string{
		"/first":   `[{"verb":"gather","input":["speech","digits"],"actionHook":"/said","partialResultHook":"/partial","bargein":true,"timeout":20,"recognizer":{"vendor":"parrot","language":"en-US","hints":["weather"]},"say":{"text":"How is the weather?","synthesizer":{"vendor":"parrot","voice":"polly"}}}]`,
		"/said":    `[{"verb":"transcribe","transcriptionHook":"/heard","channel":1,"recognizer":{"vendor":"parrot"}},{"verb":"say","text":"again","synthesizer":{"vendor":"nobody"}},{"verb":"pause","length":1},{"verb":"hangup"}]`,
		"/partial": "", "/heard": "",
	}
	var base string
	for path, body := range answer {
		ch := make(chan map[string]any, 1000)
		hooks[path] = ch
		u := a.handle(path, func(w http.ResponseWriter, r *http.Request) {
			var m map[string]any
			_ = json.NewDecoder(r.Body).Decode(&m)
			ch <- m
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
		base = strings.TrimSuffix(u, path)
	}
	await := func(path string) map[string]any {
		t.Helper()
		select {
		case m := <-hooks[path]:
			return m
		case <-time.After(patience):
			t.Fatalf("%s was not asked", path)
			return nil
		}
	}
	// The phone speaks when the question is over.
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto",
		says: append(make([]int16, len(voice)+2*rate), says...)})
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"16175551212","to":{"type":"user","name":"bob"},"call_hook":%q}`, base+"/first"))
	if code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	await("/first")
	partial := await("/partial")
	said := await("/said")
	speech, _ := said["speech"].(map[string]any)
	alternatives, _ := speech["alternatives"].([]any)
	if said["reason"] != "speechDetected" || speech["is_final"] != true || len(alternatives) != 1 ||
		fmt.Sprint(alternatives[0]) != "map[confidence:0.93 transcript:the weather is fine today]" {
		t.Errorf("gather told %v", said)
	}
	if p, _ := partial["speech"].(map[string]any); p["is_final"] != false {
		t.Errorf("the partial result: %v", partial)
	}
	hears(t, "the vendor", v.sound(0), says)
	bob.wait("CALL_CLOSED")
	hears(t, "the phone", bob.heard(), voice)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.asked) != 1 || v.asked[0]["text"] != "How is the weather?" || v.asked[0]["voice"] != "polly" {
		t.Errorf("the vendor was asked to speak %v", v.asked)
	}
	options, _ := v.starts[0]["options"].(map[string]any)
	if v.starts[0]["language"] != "en-US" || v.starts[0]["interimResults"] != true || fmt.Sprint(options["hints"]) != "[weather]" {
		t.Errorf("the vendor was started with %v", v.starts[0])
	}
	if len(v.starts) != 2 {
		t.Errorf("%d recognitions, want the gather's and the transcription's", len(v.starts))
	}
	_, c := g.askJSON(http.MethodGet, "/Calls/"+body["sid"].(string), "")
	if w := fmt.Sprint(c["warnings"]); !strings.Contains(w, `speech vendor not available: none is set up with the name "nobody"`) {
		t.Errorf("warnings: %s", w)
	}
}

// TestSpeechTranscribe: both voices of a connection are told to the hook.
func TestSpeechTranscribe(t *testing.T) {
	t.Parallel()
	one, two := speak(t, "This is what the caller says, first of all and loudly."), speak(t, "And here is what the callee has to say about the matter.")
	v := newSpeechVendor(t, nil)
	g := startGateway(t, twoUsers+v.config())
	a := newApp(t)
	heard := make(chan map[string]any, 1000)
	a.handle("/heard", func(_ http.ResponseWriter, r *http.Request) {
		var m map[string]any
		_ = json.NewDecoder(r.Body).Decode(&m)
		heard <- m
	})
	u := a.handle("/dial", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `[{"verb":"dial","target":[{"type":"user","name":"alice"}],"transcribe":{"transcriptionHook":"/heard","recognizer":{"vendor":"parrot"}}}]`)
	})
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: append(make([]int16, 2*rate), two...)})
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: append(make([]int16, 3*rate), one...)})
	if code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, u)); code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	channels := map[any]bool{}
	for len(channels) < 2 {
		select {
		case m := <-heard:
			s, _ := m["speech"].(map[string]any)
			if s["is_final"] != true || m["call_sid"] == nil {
				t.Errorf("told %v", m)
			}
			channels[s["channel_tag"]] = true
		case <-time.After(patience):
			t.Fatalf("told of the channels %v only", channels)
		}
	}
	alice.do("hangup", "")
	sounds := [][]int16{v.sound(0), v.sound(1)}
	if similarity(sounds[0], one) < similarity(sounds[1], one) { // they begin at the same time
		sounds[0], sounds[1] = sounds[1], sounds[0]
	}
	hears(t, "the vendor, of the caller,", sounds[0], one)
	hears(t, "the vendor, of the callee,", sounds[1], two)
}

// TestSpeechTwiML: Gather of the XML languages listens through the same vendor,
// and Say without a vendor of its own speaks with the box's voice.
func TestSpeechTwiML(t *testing.T) {
	t.Parallel()
	says := speak(t, "The weather is fine today, not a cloud can be seen anywhere.")
	v := newSpeechVendor(t, nil)
	g := startGateway(t, twoUsers+strings.Replace(v.config(), "key:", "default: true, key:", 1))
	a := newApp(t)
	a.doc("/said", `<Response><Hangup/></Response>`)
	a.handle("/partial", func(http.ResponseWriter, *http.Request) {})
	first := a.doc("/voice", `<Response><Gather input="speech dtmf" action="/said" speechTimeout="auto" timeout="20" hints="weather" partialResultCallback="/partial"/></Response>`)
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: append(make([]int16, rate), says...)})
	g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {first}})
	r := a.until("/said", 1)
	if r.form.Get("SpeechResult") != "the weather is fine today" || r.form.Get("Confidence") != "0.93" || r.form.Has("Digits") {
		t.Errorf("Gather told %v", r.form)
	}
	p := a.until("/partial", 1)
	if p.form.Get("UnstableSpeechResult") != "the weather" || p.form.Get("SequenceNumber") != "0" {
		t.Errorf("the partial result: %v", p.form)
	}
	hears(t, "the vendor", v.sound(0), says)
}

// TestSpeechVendorKey: the key of a vendor does not leave the box.
func TestSpeechVendorKey(t *testing.T) {
	t.Parallel()
	v := newSpeechVendor(t, nil)
	g := startGateway(t, twoUsers+v.config())
	if out := g.run("config", "export"); strings.Contains(out, vendorKey) || !strings.Contains(out, "parrot") {
		t.Errorf("exported:\n%s", out)
	}
}
