package board

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// panelled runs the lights and the button of a board with phones.
func panelled(t *testing.T, check func(m *bench, b *Board, presses func() []Press)) {
	synctest.Test(t, func(t *testing.T) {
		m := newBench(t)
		b, err := open(aPi(t), "", testConfig(), m.hardware())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{}, 2)
		var told []Press
		go func() { _ = b.Lights.Run(ctx); done <- struct{}{} }()
		go func() { _ = b.Pressed(ctx, func(p Press) { told = append(told, p) }); done <- struct{}{} }()
		synctest.Wait()
		check(m, b, func() []Press {
			synctest.Wait()
			defer func() { told = nil }()
			return told
		})
		cancel()
		<-done
		<-done
		for name, l := range m.lights {
			if lit, _ := l.is(); lit {
				t.Errorf("light %s is left lit", name)
			}
		}
		if err := b.Close(); err != nil || len(m.open) != 0 {
			t.Errorf("left open: %v, %v", m.open, err)
		}
	})
}

func TestLights(t *testing.T) {
	panelled(t, func(m *bench, b *Board, _ func() []Press) {
		own := m.lights["ACT"]
		if !b.Lights.Has(SystemLight) || !b.Lights.Has("fxs2") || b.Lights.Has("fxs3") {
			t.Error("the lights of a board with two ports")
		}
		b.Lights.Show("fxs3", Lit) // nothing happens
		for _, tt := range []struct {
			s     Signal
			after time.Duration
			lit   bool
			on    int // times in 10 s
		}{
			{Lit, 0, true, 1}, {Dark, 0, false, 0}, {Starting, 150 * time.Millisecond, false, 50}, {Ringing, 100 * time.Millisecond, true, 20},
			{Attention, 1500 * time.Millisecond, false, 5}, {Reset, 75 * time.Millisecond, false, 100}, {ResetAll, 960 * time.Millisecond, false, 10},
		} {
			b.Lights.Show(SystemLight, Dark)
			synctest.Wait()
			_, before := own.is()
			b.Lights.Show(SystemLight, tt.s)
			<-time.After(tt.after)
			b.Lights.Show(SystemLight, tt.s) // the same again does not begin anew
			synctest.Wait()
			if lit, _ := own.is(); lit != tt.lit {
				t.Errorf("%v after %v: lit %v", tt.s, tt.after, lit)
			}
			<-time.After(10*time.Second - tt.after - time.Millisecond)
			synctest.Wait()
			if _, on := own.is(); on-before != tt.on {
				t.Errorf("%v: lit %d times in 10 s, want %d", tt.s, on-before, tt.on)
			}
		}
	})
}

func TestButton(t *testing.T) {
	panelled(t, func(m *bench, _ *Board, presses func() []Press) {
		held := func(d time.Duration) []Press {
			m.finger.press(true)
			<-time.After(d)
			m.finger.press(false)
			<-time.After(100 * time.Millisecond)
			return presses()
		}
		if got := held(0); len(got) != 0 {
			t.Errorf("a spike: %v", got)
		}
		for d, want := range map[time.Duration]int{time.Second: 2, 4900 * time.Millisecond: 2, 5100 * time.Millisecond: 3, 9900 * time.Millisecond: 3, 12 * time.Second: 4} {
			got := held(d)
			if len(got) != want || !got[len(got)-1].Released || (got[len(got)-1].Held-d).Abs() > 50*time.Millisecond {
				t.Errorf("held for %v: %v", d, got)
				continue
			}
			stages := slices.DeleteFunc(got[:want-1], func(p Press) bool { return p.Held == 0 })
			for i, p := range stages {
				if p.Released || p.Held != []time.Duration{ResetHold, ResetAllHold}[i] {
					t.Errorf("held for %v: %v", d, got)
				}
			}
		}
	})
}

// TestButtonHeldAtStart: a line that is low from the start is no finger.
func TestButtonHeldAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBench(t)
		m.finger.press(true)
		<-time.After(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var told []Press
		go func() { watchButton(ctx, m.finger, func(p Press) { told = append(told, p) }); close(done) }()
		<-time.After(time.Minute)
		m.finger.press(false)
		<-time.After(time.Second)
		if len(told) != 0 {
			t.Errorf("told of %v", told)
		}
		m.finger.press(true)
		<-time.After(time.Second)
		m.finger.press(false)
		<-time.After(time.Second)
		cancel()
		<-done
		if len(told) != 2 {
			t.Errorf("afterwards told of %v", told)
		}
	})
}

func TestCondition(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	pi := fstest.MapFS{
		"sys/class/thermal/thermal_zone0/temp":   {Data: []byte("48312\n")},
		"sys/class/hwmon/hwmon0/name":            {Data: []byte("cpu_thermal\n")},
		"sys/class/hwmon/hwmon1/name":            {Data: []byte("rpi_volt\n")},
		"sys/class/hwmon/hwmon1/in0_lcrit_alarm": {Data: []byte("0\n")},
		"proc/uptime":                            {Data: []byte("7200.51 14000.01\n")},
		"sys/dev/block/179:2/uevent":             {Data: []byte("MAJOR=179\nMINOR=2\nDEVNAME=mmcblk0p2\n")},
		"sys/block/mmcblk0/stat":                 {Data: []byte("1 2 3 4 5 6 2048 8 9 10 11\n")},
		"sys/class/rtc/rtc0/name":                {Data: []byte("rtc-ds1307 1-0068\n")},
	}
	c := ReadCondition(pi, "179:2", now, true)
	want := Condition{Temperature: 48.312, Disk: "mmcblk0", Written: 1 << 20, Up: 7200510 * time.Millisecond, ClockSet: true, ClockKept: true, RTC: "rtc-ds1307 1-0068"}
	if c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("warnings of a machine that is well: %q", w)
	}
	for text, change := range map[string]func(fstest.MapFS) time.Time{
		"81 °C": func(m fstest.MapFS) time.Time {
			m["sys/class/thermal/thermal_zone0/temp"] = &fstest.MapFile{Data: []byte("81000")}
			return now
		},
		"voltage has been too low": func(m fstest.MapFS) time.Time {
			m["sys/class/hwmon/hwmon1/in0_lcrit_alarm"] = &fstest.MapFile{Data: []byte("1\n")}
			return now
		},
		"below its full speed": func(m fstest.MapFS) time.Time {
			m["sys/devices/platform/soc/soc:firmware/get_throttled"] = &fstest.MapFile{Data: []byte("40004\n")}
			return now
		},
		"voltage has been too low since power-on": func(m fstest.MapFS) time.Time { // of another kernel
			m["sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"] = &fstest.MapFile{Data: []byte("10000\n")}
			return now
		},
		"used 90 % of its life": func(m fstest.MapFS) time.Time {
			m["sys/block/mmcblk0/device/life_time"] = &fstest.MapFile{Data: []byte("0x01 0x09\n")}
			return now
		},
		"put the data folder on": func(m fstest.MapFS) time.Time {
			m["sys/block/mmcblk0/stat"] = &fstest.MapFile{Data: []byte("1 2 3 4 5 6 9000000 8")}
			return now
		},
		"the clock is not set":    func(fstest.MapFS) time.Time { return time.Unix(0, 0) },
		"no clock with a battery": func(m fstest.MapFS) time.Time { delete(m, "sys/class/rtc/rtc0/name"); return time.Unix(0, 0) },
	} {
		m := fstest.MapFS{}
		for name, f := range pi {
			m[name] = f
		}
		at := change(m)
		if w := ReadCondition(m, "179:2", at, true).Warnings(); len(w) != 1 || !strings.Contains(w[0], text) {
			t.Errorf("want %q: %q", text, w)
		}
	}
	if c := ReadCondition(fstest.MapFS{}, "0:0", now, false); c != (Condition{ClockSet: true}) {
		t.Errorf("a machine that tells nothing: %+v", c)
	}
}
