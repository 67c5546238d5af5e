package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"callbox/api/admin"
	"callbox/call"
	"callbox/call/event"
	"callbox/call/script"
	"callbox/hal/sim"
	"callbox/media"
	"callbox/media/ears"
)

// demoCmd shows the gateway at work on simulated phones.
type demoCmd struct {
	Keep string `help:"Folder to keep the data in; a temporary one when empty." type:"path"`
}

// demoTime bounds the whole demo.
const demoTime = 60 * time.Second

// Run runs the demo. It fails when anything that it promises did not happen.
func (c *demoCmd) Run(ctx context.Context) error {
	dir := c.Keep
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "callbox-demo-"); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, demoTime)
	defer cancel()
	d := &demo{out: os.Stdout, began: time.Now(), dir: dir}
	serving, stop := context.WithCancel(context.Background())
	defer stop()
	ready, done := make(chan *app, 1), make(chan error, 1)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	go func() {
		done <- serve(serving, appConfig{Data: dir, HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", SIP: "127.0.0.1:0", Board: "sim", Log: log, Out: d},
			d.began, func(a *app) { ready <- a })
	}()
	var err error
	select {
	case a := <-ready:
		err = d.play(ctx, a)
		stop()
		err = errors.Join(err, <-done)
	case err = <-done:
	}
	if err != nil {
		return fmt.Errorf("the demo went wrong: %w", err)
	}
	d.say("everything happened as it should, in %.1f s; sounds and records are in %s", time.Since(d.began).Seconds(), dir)
	return nil
}

// demo is one run.
type demo struct {
	out   io.Writer
	began time.Time
	dir   string
	a     *app

	mu        sync.Mutex // guards out and what follows
	callbacks []url.Values
	more      chan struct{} // one token when a callback came
	base      string        // address of the webhook receiver
}

// Write prints what the gateway prints.
func (d *demo) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.Write(p)
}

// say prints a timed line.
func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%7.3f s  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// play runs both calls.
func (d *demo) play(ctx context.Context, a *app) error {
	d.a, d.more = a, make(chan struct{}, 1)
	stopHooks, err := d.receive()
	if err != nil {
		return err
	}
	defer stopHooks()
	stopEvents := d.watch()
	defer stopEvents()
	if err := d.first(ctx); err != nil {
		return fmt.Errorf("first call: %w", err)
	}
	if err := d.second(ctx); err != nil {
		return fmt.Errorf("second call: %w", err)
	}
	return d.report(ctx)
}

// watch prints every event of the gateway until stop.
func (d *demo) watch() (stop func()) {
	sub := d.a.bus.Subscribe(event.Filter{}, 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ev := range sub.C() {
			e := admin.Event{Type: ev.Type, At: ev.At, Seq: ev.Seq, Note: ev.Note, Record: *ev.Record, Recording: ev.Recording}
			d.say("event     %s", strings.TrimSpace(line(e, d.began)[11:]))
		}
	}()
	return func() { sub.Close(); <-done }
}

// The documents that the demo's application serves.
const (
	askDoc  = `<Response><Gather numDigits="4" timeout="10" action="/digits"><Say>Hello. This is Callbox. Please enter your four digit code.</Say></Gather><Say>We did not hear you.</Say></Response>`
	dialDoc = `<Response><Dial record="record-from-answer-dual" recordingStatusCallback="%s/status"><Client>fxs3</Client></Dial></Response>`
)

// receive starts the webhook receiver.
func (d *demo) receive() (stop func(), err error) {
	ln, err := newLoopback()
	if err != nil {
		return nil, err
	}
	d.base = "http://" + ln.Addr().String()
	srv := &http.Server{Handler: http.HandlerFunc(d.hook), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ln) }() //nolint:errcheck // ends with Close
	return func() { srv.Close(); <-done }, nil
}

// hook is the demo's application.
func (d *demo) hook(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	switch r.URL.Path {
	case "/voice":
		d.say("webhook   /voice asked for the first document")
		io.WriteString(w, askDoc)
	case "/digits":
		d.say("webhook   /digits got Digits=%s", r.Form.Get("Digits"))
		d.keep(r.Form)
		fmt.Fprintf(w, "<Response><Say>You pressed %s. Goodbye.</Say></Response>", strings.Join(strings.Split(r.Form.Get("Digits"), ""), " "))
	case "/bridge":
		d.say("webhook   /bridge asked for the second document")
		fmt.Fprintf(w, dialDoc, d.base)
	case "/status":
		d.say("callback  %s", compact(r.Form))
		d.keep(r.Form)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// keep remembers a request for until.
func (d *demo) keep(f url.Values) {
	d.mu.Lock()
	d.callbacks = append(d.callbacks, f)
	d.mu.Unlock()
	select {
	case d.more <- struct{}{}:
	default:
	}
}

// compact is a callback for people.
func compact(f url.Values) string {
	var parts []string
	for _, k := range []string{"CallSid", "CallStatus", "SequenceNumber", "CallDuration", "RecordingSid", "RecordingStatus", "RecordingDuration"} {
		if v := f.Get(k); v != "" {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

// until waits for a request with these parameters.
func (d *demo) until(ctx context.Context, want map[string]string) error {
	for {
		d.mu.Lock()
		for _, f := range d.callbacks {
			if has(f, want) {
				d.mu.Unlock()
				return nil
			}
		}
		d.mu.Unlock()
		select {
		case <-d.more:
		case <-ctx.Done():
			return fmt.Errorf("no request with %v arrived: %w", want, ctx.Err())
		}
	}
}

func has(f url.Values, want map[string]string) bool {
	for k, v := range want {
		if f.Get(k) != v {
			return false
		}
	}
	return true
}

// create POSTs a Create Call as any Twilio client would.
func (d *demo) create(ctx context.Context, path, to string) (string, error) {
	acct := d.a.config().Accounts[0]
	form := url.Values{"To": {"client:" + to}, "From": {"+14155550100"}, "Url": {d.base + path}, "StatusCallback": {d.base + "/status"},
		"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.a.baseURL()+"/2010-04-01/Accounts/"+acct.ID+"/Calls.json", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(acct.ID, acct.Token.Reveal())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct {
		Sid, Message string
	}
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("create call: %s: %s", res.Status, made.Message)
	}
	d.say("POST      Calls.json To=client:%s → %d, sid %s", to, res.StatusCode, made.Sid)
	return made.Sid, nil
}

// first is the call with the Gather.
func (d *demo) first(ctx context.Context) error {
	phone, err := d.phone("fxs1")
	if err != nil {
		return err
	}
	hello, err := d.voice(ctx, "Good morning, biloxi office, how can I help you?")
	if err != nil {
		return err
	}
	sid, err := d.create(ctx, "/voice", "fxs1")
	if err != nil {
		return err
	}
	if err := d.pickUp(ctx, phone, "fxs1", 2); err != nil {
		return err
	}
	if err := phone.Say(ctx, hello); err != nil {
		return err
	}
	d.say("phone     fxs1 said %q", "Good morning, biloxi office, how can I help you?")
	if err := phone.Press(ctx, "4711"); err != nil {
		return err
	}
	d.say("phone     fxs1 pressed 4711")
	if err := d.until(ctx, map[string]string{"CallSid": sid, "Digits": "4711"}); err != nil {
		return err
	}
	if err := d.until(ctx, map[string]string{"CallSid": sid, "CallStatus": "completed"}); err != nil {
		return err
	}
	phone.OnHook()
	d.say("phone     fxs1 is on-hook")
	heard := phone.Heard()
	if err := d.keepSound("fxs1-heard.wav", heard); err != nil {
		return err
	}
	if loud(heard) < time.Second {
		return errors.New("the phone fxs1 heard no speech")
	}
	return nil
}

// second is the call that bridges two phones.
func (d *demo) second(ctx context.Context) error {
	a, errA := d.phone("fxs2")
	b, errB := d.phone("fxs3")
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	fromA, errA := d.voice(ctx, "This is the front desk. The delivery has arrived.", "female")
	fromB, errB := d.voice(ctx, "Thank you very much. I am coming down.")
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	sid, err := d.create(ctx, "/bridge", "fxs2")
	if err != nil {
		return err
	}
	if err := d.pickUp(ctx, a, "fxs2", 1); err != nil {
		return err
	}
	if err := d.pickUp(ctx, b, "fxs3", 1); err != nil {
		return err
	}
	if err := a.Say(ctx, fromA); err != nil {
		return err
	}
	if err := b.Say(ctx, fromB); err != nil {
		return err
	}
	d.say("phone     fxs2 and fxs3 spoke with each other")
	b.OnHook()
	if err := d.until(ctx, map[string]string{"CallSid": sid, "RecordingStatus": "completed"}); err != nil {
		return err
	}
	if err := d.until(ctx, map[string]string{"CallSid": sid, "CallStatus": "completed"}); err != nil {
		return err
	}
	a.OnHook()
	for name, check := range map[string]struct{ heard, said []int16 }{
		"fxs2": {a.Heard(), fromB}, "fxs3": {b.Heard(), fromA},
	} {
		if err := d.keepSound(name+"-heard.wav", check.heard); err != nil {
			return err
		}
		if c := ears.Match(check.heard, check.said); c < alike {
			return fmt.Errorf("the phone %s did not hear the other side: likeness %.2f", name, c)
		}
	}
	return d.checkRecording(sid, fromA, fromB)
}

// shown waits until the phone shows who calls, which it is told between the rings,
// and for no more than a pause of these.
func (d *demo) shown(ctx context.Context, p *sim.Phone) []string {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(p.Display()) == 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return p.Display()
}

// pickUp waits for rings and lifts the handset.
func (d *demo) pickUp(ctx context.Context, p *sim.Phone, name string, rings int) error {
	if err := p.WaitRing(ctx, rings); err != nil {
		return fmt.Errorf("the phone %s does not ring: %w", name, err)
	}
	for _, b := range p.Bursts() {
		d.say("phone     %s rang for %d ms at %.0f Hz", name, b.Length.Milliseconds(), b.Hz)
	}
	if rings > 1 {
		for _, who := range d.shown(ctx, p) {
			d.say("phone     %s shows %s", name, who)
		}
	}
	p.OffHook()
	d.say("phone     %s is off-hook", name)
	return nil
}

// phone finds a simulated phone of the board.
func (d *demo) phone(name string) (*sim.Phone, error) {
	p, ok := d.a.board.Port(name)
	if !ok || p.Sim == nil {
		return nil, fmt.Errorf("the sim board has no phone %s", name)
	}
	return p.Sim, nil
}

// voice speaks a sentence into memory.
func (d *demo) voice(ctx context.Context, text string, voice ...string) ([]int16, error) {
	s := script.Speech{Text: text, Language: "en-US"}
	if len(voice) > 0 {
		s.Voice = "woman"
	}
	clip, err := newPrompts(d.a.hooks, d.a.vendors, "").Speak(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("the demo speaks with espeak-ng; install it with apt-get install espeak-ng: %w", err)
	}
	defer clip.Close()
	var out []int16
	var f media.Frame
	for clip.ReadFrame(&f) {
		out = append(out, f[:]...)
	}
	return out, nil
}

// report prints the final records.
func (d *demo) report(ctx context.Context) error {
	page, err := d.a.engine.Calls(ctx, call.Filter{Account: d.a.config().Accounts[0].ID})
	if err != nil {
		return err
	}
	if len(page.Records) != 3 {
		return fmt.Errorf("%d call records remain, want 3: two calls and the dialled phone", len(page.Records))
	}
	for _, r := range page.Records {
		d.say("record    %s %s → %s, %s, %s, %.1f s: %s", r.ID, r.From, r.To, r.Direction, r.State, r.Duration(time.Now()).Seconds(), r.Cause.Error())
	}
	wavs, err := filepath.Glob(filepath.Join(d.dir, "*.wav"))
	if err != nil {
		return err
	}
	recs, err := filepath.Glob(filepath.Join(d.files(), "*.wav"))
	if err != nil {
		return err
	}
	for _, w := range append(wavs, recs...) {
		d.say("sound     %s", w)
	}
	return nil
}

func (d *demo) files() string { return d.a.files.dir }
