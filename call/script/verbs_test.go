package script

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/media"
)

var action = call.Hook{URL: "http://pbx.biloxi.example/next"}

func TestNamesAndAnswering(t *testing.T) {
	for _, tc := range []struct {
		v      Verb
		name   string
		before bool
	}{
		{Say{}, "say", false}, {Play{}, "play", false}, {Pause{}, "pause", true}, {Gather{}, "gather", false},
		{Record{}, "record", false}, {Hangup{}, "hangup", false}, {Reject{}, "reject", true}, {Redirect{}, "redirect", true},
		{&DialVerb{}, "dial", false}, {&DialVerb{Dial: Dial{AnswerOnBridge: true}}, "dial", true},
	} {
		p, ok := tc.v.(Preparer)
		if before := ok && p.BeforeAnswer(); tc.v.Name() != tc.name || before != tc.before {
			t.Errorf("%s: name %q, before answer %t", tc.name, tc.v.Name(), before)
		}
	}
}

func TestSayAndPlay(t *testing.T) {
	say := func(loop int) Verb { return Say{Speech: Speech{Text: "hello"}, Loop: loop} }
	play := func(loop int) Verb { return Play{URL: "http://u:p@pbx.biloxi.example/a.wav", Loop: loop} }
	for _, tc := range []struct {
		name string
		verb Verb
		set  func(*fake)
		want []string
		err  error
	}{
		{"twice", say(2), nil, []string{"0 speak hello", "1 played 50 frames, 0", "1 speak hello", "2 played 50 frames, 0"}, nil},
		{"no voice", say(3), func(c *fake) { c.speakErr = ErrNoSpeech }, []string{"0 speak hello", "0 warning speech vendor not available"}, nil},
		{"voice fails", say(1), func(c *fake) { c.speakErr = errOdd }, []string{"0 speak hello", "0 warning cannot speak: odd failure"}, nil},
		{"no file", play(2), func(c *fake) { c.openErr = errOdd },
			[]string{"0 open http://u:p@pbx.biloxi.example/a.wav", "0 warning cannot play http://pbx.biloxi.example/a.wav: odd failure"}, nil},
		{"no sound", play(1), func(c *fake) { c.playErr = errOdd },
			[]string{"0 open http://u:p@pbx.biloxi.example/a.wav", "0 warning cannot play the sound: odd failure"}, nil},
		{"empty for ever", play(0), func(c *fake) { c.frames = 0 },
			[]string{"0 open http://u:p@pbx.biloxi.example/a.wav", "0 played 0 frames, 0"}, nil},
		{"until hang-up", play(0), func(c *fake) { c.after(1500*time.Millisecond, c.end) },
			[]string{"0 open http://u:p@pbx.biloxi.example/a.wav", "1 played 50 frames, 0", "1 open http://u:p@pbx.biloxi.example/a.wav"}, call.ErrEnded},
		{"digits once", Play{Digits: "1w2", Loop: 5}, nil, []string{"0 sent 1w2"}, nil},
		{"bad digits", Play{Digits: "x"}, func(c *fake) { c.digitErr = errOdd }, []string{"0 sent x", "0 warning cannot send digits: odd failure"}, nil},
		{"digits after the end", Play{Digits: "1"}, func(c *fake) { c.digitErr = call.ErrEnded }, []string{"0 sent 1"}, call.ErrEnded},
		{"speech after the end", say(1), func(c *fake) { c.speakErr = call.ErrEnded }, []string{"0 speak hello"}, call.ErrEnded},
		{"opening after the end", play(1), func(c *fake) { c.openErr = call.ErrEnded }, []string{"0 open http://u:p@pbx.biloxi.example/a.wav"}, call.ErrEnded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, _ context.Context) {
				if tc.set != nil {
					tc.set(c)
				}
				env := c.env()
				// The verb's own context does not end here, so that call.ErrEnded shows.
				jump, err := tc.verb.Run(t.Context(), &env)
				if jump != nil || !errors.Is(err, tc.err) {
					t.Errorf("jump %v, error %v", jump, err)
				}
				c.want(tc.want...)
			})
		})
	}
}

func TestLoopIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		env := c.env()
		if _, err := (Play{URL: "http://pbx.biloxi.example/a.wav"}).Run(ctx, &env); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(c.start); got != MaxLoops*time.Second {
			t.Errorf("a loop of 0 took %s", got)
		}
	})
}

func TestPause(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		env := c.env()
		if _, err := (Pause{Length: 3 * time.Second}).Run(ctx, &env); err != nil || time.Since(c.start) != 3*time.Second {
			t.Errorf("error %v after %s", err, time.Since(c.start))
		}
		c.after(time.Second, c.stop)
		if _, err := (Pause{Length: time.Minute}).Run(ctx, &env); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

func TestGather(t *testing.T) {
	prompt := []Verb{Say{Speech: Speech{Text: "p"}, Loop: 2}, Pause{Length: time.Second}} // 3 s
	for _, tc := range []struct {
		name    string
		g       Gather
		keys    string
		at      []float64
		digits  string // of the action request
		none    bool   // no action request
		timeout bool
		ends    float64
	}{
		{"number of digits ends at once", Gather{NumDigits: 3}, "123", []float64{1, 2, 3}, "123", false, false, 3},
		{"timeout restarts with every key", Gather{Timeout: 2 * time.Second}, "12", []float64{1, 2.5}, "12", false, false, 4.5},
		{"default timeout", Gather{}, "1", []float64{4.5}, "1", false, false, 9.5},
		{"finish key is no digit", Gather{FinishOnKey: "#"}, "12#", []float64{1, 2, 3}, "12", false, false, 3},
		{"any of the finish keys", Gather{FinishOnKey: "*#"}, "1*", []float64{1, 2}, "1", false, false, 2},
		{"no finish key", Gather{NumDigits: 2}, "1#", []float64{1, 2}, "1#", false, false, 2},
		{"only the finish key", Gather{FinishOnKey: "#"}, "#", []float64{1}, "", true, false, 1},
		{"only the finish key, asked for", Gather{FinishOnKey: "#", ActionOnEmpty: true}, "#", []float64{1}, "", false, false, 1},
		{"nothing falls through", Gather{Timeout: time.Second}, "", nil, "", true, false, 1},
		{"nothing, asked for", Gather{Timeout: time.Second, ActionOnEmpty: true}, "", nil, "", false, true, 1},
		{"no limit", Gather{Timeout: -1, NumDigits: 1}, "7", []float64{3600}, "7", false, false, 3600},
		{"a key stops the prompts", Gather{Prompts: prompt, NumDigits: 2}, "45", []float64{0.5, 1}, "45", false, false, 1},
		{"a finish key stops the prompts", Gather{Prompts: prompt, FinishOnKey: "#", ActionOnEmpty: true}, "#", []float64{0.5}, "", false, false, 0.5},
		{"one digit during the prompts", Gather{Prompts: prompt, NumDigits: 1}, "4", []float64{2.5}, "4", false, false, 2.5},
		{"timeout counts from the end of the prompts", Gather{Prompts: prompt, Timeout: 2 * time.Second}, "4", []float64{4.9}, "4", false, false, 6.9},
		{"timeout after prompts", Gather{Prompts: prompt, Timeout: 2 * time.Second, ActionOnEmpty: true}, "", nil, "", false, true, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.key('9') // pressed before: dropped
				c.typeAt(tc.keys, tc.at...)
				tc.g.Action = action
				env := c.env()
				jump, err := tc.g.Run(ctx, &env)
				if err != nil || (jump == nil) != tc.none {
					t.Fatalf("jump %v, error %v", jump, err)
				}
				if got := time.Since(c.start).Seconds(); got != tc.ends {
					t.Errorf("ended after %g s", got)
				}
				if tc.none {
					return
				}
				if r := jump.Result; jump.Hook != action || r.Verb != "gather" || r.Digits != tc.digits || r.Timeout != tc.timeout {
					t.Errorf("jump %+v %+v", jump, r)
				}
			})
		})
	}
}

func TestGatherBargeInCutsTheSound(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.typeAt("4", 0.5)
		env := c.env()
		g := Gather{Action: action, NumDigits: 1, Prompts: []Verb{Say{Speech: Speech{Text: "p"}}}}
		if _, err := g.Run(ctx, &env); err != nil {
			t.Fatal(err)
		}
		c.want("0 speak p", "0.5 cut after 26 frames")
	})
}

func TestGatherWithoutAction(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.typeAt("4", 0.5)
		env := c.env()
		if jump, err := (Gather{NumDigits: 1}).Run(ctx, &env); jump != nil || err != nil {
			t.Errorf("jump %v, error %v", jump, err)
		}
	})
}

func TestGatherIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		for i := range 2 * MaxGatherDigits {
			c.typeAt("1", 0.1*float64(i+1))
		}
		env := c.env()
		jump, err := Gather{Action: action}.Run(ctx, &env)
		if err != nil || len(jump.Result.Digits) != MaxGatherDigits {
			t.Errorf("jump %v, error %v", jump, err)
		}
	})
}

func TestGatherEnds(t *testing.T) {
	prompts := []Verb{Say{Speech: Speech{Text: "p"}}}
	for _, tc := range []struct {
		name    string
		prompts []Verb
		at      time.Duration
		end     bool // of the call, otherwise only of the context
		want    error
	}{
		{"hang-up while waiting", nil, time.Second, true, call.ErrEnded},
		{"hang-up during the prompts", prompts, 500 * time.Millisecond, true, call.ErrEnded},
		{"hang-up after the prompts", prompts, 2 * time.Second, true, call.ErrEnded},
		{"replaced while waiting", nil, time.Second, false, context.Canceled},
		{"replaced during the prompts", prompts, 500 * time.Millisecond, false, context.Canceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				env := c.env()
				if tc.end {
					ctx = t.Context()
					c.after(tc.at, c.end)
				} else {
					c.after(tc.at, c.stop)
				}
				jump, err := Gather{Action: action, ActionOnEmpty: true, Timeout: time.Minute, Prompts: tc.prompts}.Run(ctx, &env)
				if jump != nil || !errors.Is(err, tc.want) || time.Since(c.start) != tc.at {
					t.Errorf("jump %v, error %v after %s", jump, err, time.Since(c.start))
				}
			})
		})
	}
}

func TestRecord(t *testing.T) {
	bySilence := func(total time.Duration) func(*take) {
		return func(r *take) { r.length, r.final = total, call.Recording{Duration: total, BySilence: true} }
	}
	for _, tc := range []struct {
		name   string
		r      Record
		take   func(*take)
		keys   string
		at     []float64
		hangup float64 // after so many seconds
		none   bool    // no action request
		digit  byte
		hungUp bool
		ends   float64
	}{
		{"until a key", Record{FinishOnKey: "#*"}, nil, "12#", []float64{1, 2, 3}, 0, false, '#', false, 3},
		{"with a beep", Record{FinishOnKey: "#", Beep: true}, nil, "#", []float64{3}, 0, false, '#', false, 3},
		{"by itself", Record{}, func(r *take) { r.length = 7 * time.Second }, "", nil, 0, false, 0, false, 7},
		{"until silence", Record{Timeout: 5 * time.Second}, bySilence(8 * time.Second), "", nil, 0, false, 0, false, 8},
		{"only silence", Record{Timeout: 5 * time.Second}, bySilence(5 * time.Second), "", nil, 0, true, 0, false, 5},
		{"only silence, trimmed", Record{Timeout: 5 * time.Second, Options: call.RecordOptions{Trim: true}},
			func(r *take) { r.length, r.final = 5*time.Second, call.Recording{Status: "absent", BySilence: true} }, "", nil, 0, true, 0, false, 5},
		{"a word, trimmed", Record{Timeout: 5 * time.Second, Options: call.RecordOptions{Trim: true}},
			func(r *take) {
				r.length, r.final = 6*time.Second, call.Recording{Duration: time.Second, BySilence: true}
			}, "", nil, 0, false, 0, false, 6},
		{"until hang-up", Record{FinishOnKey: "#"}, nil, "", nil, 4, false, 0, true, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.key('#') // pressed before: dropped
				c.prepare = tc.take
				c.typeAt(tc.keys, tc.at...)
				if tc.hangup > 0 {
					c.after(time.Duration(tc.hangup*float64(time.Second)), c.end)
				}
				tc.r.Action = action
				env := c.env()
				jump, err := tc.r.Run(ctx, &env)
				if err != nil || (jump == nil) != tc.none {
					t.Fatalf("jump %v, error %v", jump, err)
				}
				if got := time.Since(c.start).Seconds(); got != tc.ends {
					t.Errorf("ended after %g s", got)
				}
				if c.take.stops != 1 || c.take.o.MaxSilence != tc.r.Timeout || c.take.o.MaxLength != MaxRecordLength {
					t.Errorf("recording %+v", c.take)
				}
				if tc.none {
					return
				}
				if r := jump.Result; r.Verb != "record" || r.Recording == nil || r.Digit != tc.digit || r.HungUp != tc.hungUp {
					t.Errorf("result %+v", r)
				}
			})
		})
	}
}

func TestRecordWithoutResult(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(c *fake)
		r    Record
		err  error
	}{
		{"cannot start", func(c *fake) { c.recordErr = errOdd }, Record{Action: action}, nil},
		{"has ended", func(c *fake) { c.recordErr = call.ErrEnded }, Record{Action: action}, call.ErrEnded},
		{"file fails", func(c *fake) { c.prepare = func(r *take) { r.length, r.err = time.Second, errOdd } }, Record{Action: action}, nil},
		{"no action", func(c *fake) { c.prepare = func(r *take) { r.length = time.Second } }, Record{}, nil},
		{"no action, hang-up", func(c *fake) { c.after(time.Second, c.end) }, Record{}, call.ErrEnded},
		{"replaced by another document", func(c *fake) { c.after(time.Second, c.stop) }, Record{Action: action}, context.Canceled},
		{"beep fails, goes on", func(c *fake) { c.playErr = errOdd; c.prepare = func(r *take) { r.length = time.Second } }, Record{Beep: true}, nil},
		{"hang-up during the beep", func(c *fake) { c.playErr = call.ErrEnded }, Record{Beep: true, Action: action}, call.ErrEnded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				tc.set(c)
				env := c.env()
				jump, err := tc.r.Run(ctx, &env)
				if errors.Is(tc.err, call.ErrEnded) && errors.Is(err, context.Canceled) {
					err = call.ErrEnded // the same news by the context
				}
				if jump != nil || !errors.Is(err, tc.err) {
					t.Errorf("jump %v, error %v", jump, err)
				}
			})
		})
	}
}

func TestBeep(t *testing.T) {
	b := &beep{left: beepFrames}
	var f media.Frame
	var n, crossings int
	for b.ReadFrame(&f) {
		n++
		for i := 1; i < len(f); i++ {
			if f[i-1] < 0 && f[i] >= 0 {
				crossings++
			}
		}
	}
	if n != 25 || crossings != 25*19 || b.Close() != nil { // 20 periods of 1,000 Hz, the first begins with the frame
		t.Errorf("%d frames, %d rising crossings", n, crossings)
	}
	loop := &beep{left: 1 << 30}
	if a := testing.AllocsPerRun(100, func() { loop.ReadFrame(&f) }); a != 0 {
		t.Errorf("%g allocations", a)
	}
}

func TestDial(t *testing.T) {
	answered := DialResult{State: call.Completed, Child: "CA2", Bridged: true, Duration: 9 * time.Second}
	for _, tc := range []struct {
		name   string
		action call.Hook
		res    DialResult
		err    error
		state  call.State // of the action request
		none   bool
		fails  error
	}{
		{"connected", action, answered, nil, call.Completed, false, nil},
		{"busy", action, DialResult{State: call.Busy, Child: "CA2"}, nil, call.Busy, false, nil},
		{"without action", call.Hook{}, answered, nil, 0, true, nil},
		{"nothing tried", action, DialResult{}, call.Cause{Q850: call.Q850NoRoute, Text: "no route"}, call.Failed, false, nil},
		{"nothing tried, without action", call.Hook{}, DialResult{}, errOdd, 0, true, nil},
		{"refused", action, DialResult{}, ErrNoDial, 0, true, nil},
		{"caller hung up, connected", action, answered, call.ErrEnded, call.Completed, false, nil},
		{"caller hung up, nobody tried", action, DialResult{}, call.ErrEnded, 0, true, call.ErrEnded},
		{"caller hung up, without action", call.Hook{}, answered, call.ErrEnded, 0, true, call.ErrEnded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.dial = func(context.Context, Dial) (DialResult, error) { return tc.res, tc.err }
				env := c.env()
				jump, err := (&DialVerb{Dial: Dial{Targets: []Target{{To: "5550100"}}}, Action: tc.action}).Run(ctx, &env)
				if (jump == nil) != tc.none || !errors.Is(err, tc.fails) {
					t.Fatalf("jump %v, error %v", jump, err)
				}
				if tc.none {
					return
				}
				r := jump.Result.Dial
				if jump.Result.Verb != "dial" || r.State != tc.state || r.Child != tc.res.Child {
					t.Errorf("result %+v", r)
				}
				if tc.state == call.Failed && r.Cause.Q850 != call.Q850NoRoute {
					t.Errorf("cause %+v", r.Cause)
				}
			})
		})
	}
}

func TestHangupRejectRedirect(t *testing.T) {
	for _, tc := range []struct {
		name     string
		v        Verb
		answered bool
		want     string
	}{
		{"hangup", Hangup{}, true, "0 hangup 16/0 script"},
		{"reject", Reject{}, false, "0 hangup 21/603 script"},
		{"reject busy", Reject{Busy: true}, false, "0 hangup 17/486 script"},
		{"reject after the answer", Reject{Busy: true}, true, "0 hangup 16/0 script"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				if !tc.answered {
					c.ringing()
				}
				env := c.env()
				if jump, err := tc.v.Run(ctx, &env); jump != nil || !errors.Is(err, call.ErrEnded) {
					t.Errorf("jump %v, error %v", jump, err)
				}
				c.want(tc.want)
			})
		})
	}
	jump, err := Redirect{Hook: action}.Run(t.Context(), nil)
	if err != nil || jump.Hook != action || jump.Result != nil {
		t.Errorf("redirect: %+v, %v", jump, err)
	}
}

// TestEarlyListening: what listens before the answer makes the way for the sound and
// leaves the answer to others.
func TestEarlyListening(t *testing.T) {
	for _, early := range []bool{true, false} {
		bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
			c.ringing()
			env := c.env()
			env.Streams = noStreams{}
			c.fetch = serve(map[string]any{main.URL: []Verb{Connect{Verb: "listen", Early: early}, Transcribe{Early: early}, Hangup{Decline: true}}})
			if got := (Runner{}).Run(ctx, &env, &call.ScriptSource{Main: main}); got != Finished {
				t.Errorf("outcome %s", got)
			}
			lines := strings.Join(c.lines, "\n")
			if answered := strings.Contains(lines, "0 answer"); answered == early || strings.Contains(lines, "0 early") != early {
				t.Errorf("early %t:\n%s", early, lines)
			}
		})
	}
}

// noStreams streams nothing.
type noStreams struct{ Streams }

func (noStreams) StartStream(context.Context, call.StreamOptions) (Streaming, error) {
	return nil, call.ErrTooMany
}

// TestEarlySoundThatCannotBe: the caller hears nothing, and the document goes on.
func TestEarlySoundThatCannotBe(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.ringing()
		c.earlyErr = call.ErrWrongState
		env := c.env()
		for _, v := range []Verb{Play{URL: "http://a/a.wav", Loop: 1, Early: true}, Say{Speech: Speech{Text: "a"}, Loop: 1, Early: true}} {
			if jump, err := v.Run(ctx, &env); jump != nil || err != nil {
				t.Errorf("%s: %v, %v", v.Name(), jump, err)
			}
		}
		const warning = "0 warning the caller hears nothing before the answer: call is not in a state that allows this"
		c.want("0 early", warning, "0 early", warning)
	})
}
