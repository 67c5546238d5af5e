//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// endsEarly has a talk recorded to a disk that fails in the middle of it: the call goes
// on, the callback and the API say that the recording ends early and why, and what was
// written until then can be fetched and heard. The result is its number of samples.
func endsEarly(t *testing.T, g *gateway, why string, fail func(file string)) int {
	t.Helper()
	a := newApp(t)
	kept := speak(t, "This sentence is on the disk before anything happens to it.")
	later := speak(t, "And this one is heard though nobody can record it.", "-v", "en-us")
	alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
	done := a.handle("/recorded", func(http.ResponseWriter, *http.Request) {})
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Twiml": {`<Response><Pause length="600"/></Response>`},
		"Record": {"true"}, "RecordingStatusCallback": {done}, "RecordingStatusCallbackEvent": {"completed absent"}})
	lift(t, alice)
	var file string
	poll(t, "it is being recorded", func() bool {
		files, _ := filepath.Glob(filepath.Join(g.dir, "recordings", "*.wav"))
		if len(files) == 1 {
			file = files[0]
		}
		return len(files) == 1
	})
	alice.Say(kept)
	poll(t, "the sentence is on the disk", func() bool {
		sound, _, _ := parseWAV(must(os.ReadFile(file)))
		return similarity(sound, kept) > 0.9
	})
	fail(file)
	told := a.until("/recorded", 1).form
	if told.Get("RecordingStatus") != "completed" || told.Get("ErrorCode") != "12400" || !strings.Contains(told.Get("ErrorMessage"), "it ends early") ||
		!strings.Contains(told.Get("ErrorMessage"), why) || strings.Contains(told.Get("ErrorMessage"), g.dir) {
		t.Errorf("the callback says %v", told)
	}
	a.wav("/later.wav", later)
	if code, body := g.post("/Calls/"+sid+".json", url.Values{"Twiml": {`<Response><Play loop="0">` + a.URL + `/later.wav</Play></Response>`}}); code != http.StatusOK {
		t.Fatalf("the call cannot be changed: %d %v", code, body)
	}
	poll(t, "the call goes on", func() bool { return similarity(alice.Heard(), later) > 0.9 })
	if err := alice.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.until(sid, "completed")
	id := strings.TrimSuffix(filepath.Base(file), ".wav")
	if _, rec := g.get("/Recordings/" + id + ".json"); rec["status"] != "completed" || rec["error_code"] != 12400. {
		t.Errorf("the recording's resource: %v", rec)
	}
	if out := g.run("calls", "-o", "json"); !strings.Contains(out, "recording "+id+": it ends early") || !strings.Contains(out, why) {
		t.Errorf("the call's record says\n%s", out)
	}
	sound := g.sound("/Recordings/" + id + ".wav")
	hears(t, "what is left", sound, kept)
	return len(sound)
}

// TestRecordingOnABadDisk: a file that the system lets grow no further, in the middle of
// a second, is kept to its last sample.
func TestRecordingOnABadDisk(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	limit := 0
	n := endsEarly(t, g, "file too large", func(file string) {
		limit = len(must(os.ReadFile(file))) + 20001 // one whole second and a part
		limits := func(bytes uint64) {
			if err := unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
				t.Fatal(err)
			}
		}
		limits(uint64(limit))
		defer limits(unix.RLIM_INFINITY)
		poll(t, "the file is as long as it may be", func() bool { return len(must(os.ReadFile(file))) >= limit-1 })
	})
	if n != (limit-44)/2 {
		t.Errorf("%d samples are kept of a file of %d bytes", n, limit)
	}
}

// TestFullDisk: on a disk without a free byte a recording ends and keeps what it has,
// another is refused with a sentence, calls go on, and their records are all there when
// there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	g := &gateway{t: t, dir: t.TempDir()}
	if err := syscall.Mount("tmpfs", g.dir, "tmpfs", 0, "size=160m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(g.dir, syscall.MNT_DETACH) })
	g.start()
	g.configure(twoUsers)
	filler := filepath.Join(g.dir, "filler")
	endsEarly(t, g, "the disk is full", func(string) {
		f := must(os.Create(filler))
		defer f.Close()
		for part := make([]byte, 1<<20); ; { // to the last byte
			n, err := f.Write(part)
			if n == 0 && err != nil {
				if !errors.Is(err, syscall.ENOSPC) {
					t.Fatal(err)
				}
				break
			}
		}
	})
	bob := softphone(t, g, "127.0.0.3", "bob", "b1o2b3b4o5")
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Twiml": {`<Response><Pause length="1"/></Response>`}, "Record": {"true"}})
	lift(t, bob)
	g.until(sid, "completed")
	if out := g.run("calls", "-o", "json"); !strings.Contains(out, "the call is not recorded: make the recording's file: the disk is full") {
		t.Errorf("the record does not say why the call is not recorded:\n%s", out)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	account, token := g.account, g.token
	g.stop(syscall.SIGKILL)
	g.start()
	g.account, g.token = account, token
	_, list := g.get("/Calls.json?Status=completed")
	if all, _ := list["calls"].([]any); len(all) != 2 {
		t.Errorf("after a restart there are %d calls of 2", len(all))
	}
	_, list = g.get("/Recordings.json")
	if all, _ := list["recordings"].([]any); len(all) != 1 {
		t.Errorf("after a restart there are %d recordings of 1", len(all))
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
