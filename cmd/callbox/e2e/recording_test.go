//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
)

// part gets a part of a file of the API.
func (g *gateway) part(path string, header map[string]string) (*http.Response, []byte) {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.api+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.SetBasicAuth(g.account, g.token)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		g.t.Fatal(err)
	}
	return res, b.Bytes()
}

// TestRecordingOutlivesKill: a gateway that is killed while it records a talk leaves a
// file that can be played up to the last second, which the next start completes, with
// its SHA-256, and hands out whole, by parts, and to nobody who has it already.
func TestRecordingOutlivesKill(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	said := speak(t, "This sentence is recorded, and then the power goes. The box must not lose it.")
	alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
	done := a.handle("/recorded", func(http.ResponseWriter, *http.Request) {})
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Twiml": {`<Response><Pause length="600"/></Response>`},
		"Record": {"true"}, "RecordingStatusCallback": {done}})
	lift(t, alice)
	g.until(sid, "in-progress")
	var file string
	poll(t, "it is being recorded", func() bool {
		files, _ := filepath.Glob(filepath.Join(g.dir, "recordings", "*.wav"))
		if len(files) == 1 {
			file = files[0]
		}
		return len(files) == 1
	})
	alice.Say(said)
	spoken := time.Duration(len(said)) * time.Second / rate
	pauseFor(spoken + 2*time.Second)
	began := recordedFor(t, file)
	now := time.Now()
	g.stop(syscall.SIGKILL)
	account, token := g.account, g.token
	sound, channels, ok := parseWAV(must(os.ReadFile(file)))
	if !ok || channels != 1 {
		t.Fatalf("the file that was left cannot be played")
	}
	// recordedFor has seen a file that grows each second.
	if left := time.Duration(len(sound)) * time.Second / rate; left < began-time.Second || left < spoken {
		t.Errorf("%v are left, %v were there %v before", left, began, time.Since(now))
	}
	hears(t, "the file that was left", sound, said)
	g.start()
	g.account, g.token = account, token
	id := strings.TrimSuffix(filepath.Base(file), ".wav")
	path := "/2010-04-01/Accounts/" + g.account + "/Recordings/" + id
	poll(t, "the recording is complete", func() bool {
		_, rec := g.get("/Recordings/" + id + ".json")
		return rec["status"] == "completed"
	})
	res, body := g.part(path+".wav", nil)
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	if res.StatusCode != http.StatusOK || res.Header.Get("ETag") != tag || res.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("download: %d %v, want the tag %s", res.StatusCode, res.Header, tag)
	}
	sound, _, _ = parseWAV(body)
	hears(t, "the download", sound, said)
	for _, tt := range []struct {
		header map[string]string
		status int
		want   []byte
	}{
		{map[string]string{"Range": "bytes=44-1043"}, http.StatusPartialContent, body[44:1044]},
		{map[string]string{"Range": "bytes=-500"}, http.StatusPartialContent, body[len(body)-500:]},
		{map[string]string{"Range": "bytes=100-", "If-Range": tag}, http.StatusPartialContent, body[100:]},
		{map[string]string{"Range": "bytes=100-", "If-Range": `"another"`}, http.StatusOK, body},
		{map[string]string{"Range": fmt.Sprintf("bytes=%d-", len(body))}, http.StatusRequestedRangeNotSatisfiable, nil},
		{map[string]string{"If-None-Match": tag}, http.StatusNotModified, nil},
	} {
		res, got := g.part(path+".wav", tt.header)
		if res.StatusCode != tt.status || tt.want != nil && !bytes.Equal(got, tt.want) {
			t.Errorf("%v: %d and %d bytes, want %d and %d", tt.header, res.StatusCode, len(got), tt.status, len(tt.want))
		}
	}
	if res, got := g.part(path+".mp3", nil); res.StatusCode != http.StatusNotFound || !strings.Contains(string(got), "keeps recordings as WAV") {
		t.Errorf("as MP3: %d %s", res.StatusCode, got)
	}
	poll(t, "the callback about the recording", func() bool { return len(a.requests("/recorded")) > 0 })
	if f := a.requests("/recorded")[0].form; f.Get("RecordingStatus") != "completed" || f.Get("RecordingSid") != id {
		t.Errorf("told %v", f)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// recordedFor waits until a file that is being recorded has grown, and gives its
// length then.
func recordedFor(t *testing.T, file string) time.Duration {
	t.Helper()
	length := func() int {
		sound, _, _ := parseWAV(must(os.ReadFile(file)))
		return len(sound)
	}
	first, now := length(), 0
	poll(t, "the file grows", func() bool { now = length(); return now > first })
	return time.Duration(now) * time.Second / rate
}

// TestRecordingQuota: what is recorded above the size that the configuration allows
// goes at once, the oldest first.
func TestRecordingQuota(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	out := g.run("config", "export", "--secrets")
	if !strings.Contains(out, "recording_bytes: 1073741824") {
		t.Fatalf("no size of the recordings in the configuration:\n%s", out)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	// Room for two of twelve seconds in stereo each, and not for three.
	if err := os.WriteFile(file, []byte(strings.Replace(out, "recording_bytes: 1073741824", "recording_bytes: 1048576", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	g.run("config", "import", file)
	phones := map[string]*siptest.Endpoint{"alice": softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5"), "bob": softphone(t, g, "127.0.0.3", "bob", "b1o2b3b4o5")}
	var made []string // in pairs that are made at the same time
	for range 2 {
		var calls []string
		for name, p := range phones {
			n := len(p.Invites())
			calls = append(calls, g.create(url.Values{"To": {"client:" + name}, "From": {"+14155550100"}, "Twiml": {`<Response><Pause length="12"/></Response>`},
				"Record": {"true"}, "RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}}))
			poll(t, "it rings", func() bool { return len(p.Invites()) == n+1 })
			lift(t, p)
		}
		for _, sid := range calls {
			g.until(sid, "completed")
			_, list := g.get("/Calls/" + sid + "/Recordings.json")
			if all, _ := list["recordings"].([]any); len(all) == 1 {
				made = append(made, all[0].(map[string]any)["sid"].(string))
			}
		}
		for _, p := range phones {
			if _, err := p.WaitEnd(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(made) != 4 {
		t.Fatalf("recordings %v", made)
	}
	poll(t, "the two oldest recordings have gone", func() bool {
		files, _ := filepath.Glob(filepath.Join(g.dir, "recordings", "*.wav"))
		return len(files) == 2 && strings.Contains(strings.Join(files, " "), made[2]) && strings.Contains(strings.Join(files, " "), made[3])
	})
	for i, id := range made {
		want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[i >= 2]
		poll(t, fmt.Sprintf("recording %d gives %d", i+1, want), func() bool {
			code, _ := g.get("/Recordings/" + id + ".json")
			return code == want
		})
	}
}
