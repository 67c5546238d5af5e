package gsm

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"callbox/hal"
)

func named(t *testing.T, name string) *row {
	t.Helper()
	for _, r := range rows() {
		if strings.Contains(r.name, name) {
			return &r
		}
	}
	t.Fatalf("no row %q", name)
	return nil
}

func TestSigns(t *testing.T) {
	for _, c := range []struct {
		family, line string
		want         sign
		ok           bool
	}{
		{"Quectel", "RING", sign{state: incoming}, true},
		{"Quectel", "+CRING: VOICE", sign{state: incoming}, true},
		{"Quectel", "+CRING: REL ASYNC", sign{state: incoming}, false},
		{"Quectel", `+CLIP: "+4917012345",145,,,,0`, sign{state: unknown, number: "+4917012345"}, true},
		{"Quectel", `+CLIP: "",128,,,,2`, sign{state: unknown}, true},
		{"Quectel", `+QIND: "ccinfo",1,0,2,0,0,"+491701234567",145`, sign{state: dialling, out: true, number: "+491701234567"}, true},
		{"Quectel", `+QIND: "ccinfo",1,0,3,0,0,"+491701234567",145`, sign{state: alerting, out: true, number: "+491701234567"}, true},
		{"Quectel", `+QIND: "ccinfo",1,0,0,0,0,"+491701234567",145`, sign{state: active, out: true, number: "+491701234567"}, true},
		{"Quectel", `+QIND: "ccinfo",1,0,-1,0,0,"+491701234567",145`, sign{state: gone, out: true, number: "+491701234567"}, true},
		{"Quectel", `+QIND: "ccinfo",1,1,4,0,0,"5550123",129`, sign{state: incoming, number: "5550123"}, true},
		{"Quectel", `+QIND: "ccinfo",2,1,5,0,0,"5550123",129`, sign{state: waiting, number: "5550123"}, true},
		{"Quectel", `+QIND: "ccinfo",1,0,0,1,0,"",128`, sign{}, false}, // a data connection
		{"Quectel", `+QIND: "csq",20,99`, sign{}, false},
		{"Quectel", "^DSCI: 1,0,3,0,5550123,129", sign{state: active, out: true, number: "5550123"}, true},
		{"Quectel", "^DSCI: 1,0,7,0,5550123,129", sign{state: alerting, out: true, number: "5550123"}, true},
		{"Quectel", "^DSCI: 1,0,6,0,5550123,129", sign{state: gone, out: true, number: "5550123"}, true},
		{"SIMCom", `+CLCC: 1,0,0,0,0,"5550123",129,""`, sign{state: active, out: true, number: "5550123"}, true},
		{"SIMCom", `+CLCC: 1,0,6,0,0,"5550123",129,""`, sign{state: gone, out: true, number: "5550123"}, true},
		{"SIMCom", `+CLCC: 1,1,0,1,0,"",128`, sign{}, false}, // a data connection
		{"SIMCom", "VOICE CALL: BEGIN", sign{state: active}, true},
		{"SIMCom", "VOICE CALL: END: 000041", sign{state: gone}, true},
		{"SIMCom", "MISSED_CALL: 11:01AM 0771555", sign{}, false},
		{"Huawei", "^ORIG:1,0", sign{state: dialling, out: true}, true},
		{"Huawei", "^CONF:1", sign{state: alerting, out: true}, true},
		{"Huawei", "^CONN:1,0", sign{state: active}, true},
		{"Huawei", "^CEND:1,20,104,17", sign{state: gone, cause: 17}, true},
		{"Huawei", "^CEND:1,0,104", sign{state: gone}, true},
		{"Huawei", "^CEND:1,0,104,999", sign{state: gone}, true},
		{"Huawei", "^RSSI:18", sign{}, false},
		{"Huawei", "NO CARRIER", sign{state: gone}, true},
		{"Huawei", "BUSY", sign{state: gone, cause: 17, plain: true}, true},
		{"Huawei", "NO ANSWER", sign{state: gone, cause: 19, plain: true}, true},
		{"Huawei", "+CLCC: 1", sign{}, false},
		{"Huawei", "+CLCC: 1,0,9,0,0,\"\",128", sign{}, false},
		{"Huawei", "", sign{}, false},
	} {
		got, ok := named(t, c.family).signOf(c.line)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %q means %+v, %v; want %+v, %v", c.family, c.line, got, ok, c.want, c.ok)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		family, line string
		want         byte
	}{
		{"Quectel", "+QTONEDET: 52", '4'}, {"Quectel", "+QTONEDET: 42", '*'}, {"Quectel", "+QTONEDET: 35", '#'}, {"Quectel", "+QTONEDET: 300", 0},
		{"SIMCom", "+RXDTMF: 8", '8'}, {"SIMCom", "+RXDTMF: *", '*'}, {"SIMCom", "+RXDTMF: 88", 0}, {"Huawei", "+RXDTMF: 8", 0},
	} {
		if got, _ := named(t, c.family).key(c.line); got != c.want {
			t.Errorf("%s: %q is key %q, want %q", c.family, c.line, got, c.want)
		}
	}
}

func TestReasons(t *testing.T) {
	for answer, want := range map[string]int{
		"User busy": 17, "5,17": 17, "Normal call clearing": 16, "No cause information available": 0, "": 0, "Network out of order": 38,
		"Destination out of order": 27, "Unassigned (unallocated) number": 1, "5,300": 0, `"Call rejected"`: 21, "Client ended call": 0,
	} {
		if got := reason(answer); got != want {
			t.Errorf("%q is cause %d, want %d", answer, got, want)
		}
	}
	for cause := range 128 {
		r := release(cause, false)
		if r.Q850 < 1 || r.Q850 > 127 || cause != 16 && r.Text == "" {
			t.Errorf("cause %d: %+v", cause, r)
		}
	}
}

// FuzzLines: whatever a modem says, it is read without falling over.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"RING", `+QIND: "ccinfo",1,0,2,0,0,"1",145`, "^DSCI: 1,0,3,0,1,1", "+CLCC: 1,0,0,0,0", "^CEND:1,2,3,4", "VOICE CALL:", "+CREG: 2,1,\"1\",\"2\",7", "+QTONEDET: 52"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, line string) {
		for _, r := range rows() {
			s, ok := r.signOf(line)
			if ok && (s.state < unknown || s.state > waiting || s.cause < 0 || s.cause > 127) {
				panic(line)
			}
			r.key(line)
		}
		reason(line)
		var n network
		n.heard("+CREG", strings.Split(line, ","), true)
		n.state()
	})
}

func TestDevices(t *testing.T) {
	tty := func(path string, vendor, product uint16, face int, place string) hal.TTY {
		return hal.TTY{Path: path, Vendor: vendor, Product: product, Interface: face, Place: place}
	}
	got := devices([]hal.TTY{
		tty("/dev/ttyUSB0", 0x2c7c, 0x0125, 0, "1-1"), tty("/dev/ttyUSB10", 0x2c7c, 0x0125, 1, "1-1"), tty("/dev/ttyUSB2", 0x2c7c, 0x0125, 2, "1-1"),
		tty("/dev/ttyUSB4", 0x1e0e, 0x9001, 2, "1-2"), tty("/dev/ttyUSB5", 0x1e0e, 0x9001, 4, "1-2"),
		tty("/dev/ttyUSB6", 0x12d1, 0x140c, 3, "1-3"), tty("/dev/ttyUSB7", 0x12d1, 0x140c, 2, "1-3"),
		tty("/dev/ttyACM0", 0x0572, 0x1329, 0, "1-4"),
	})
	if len(got) != 3 || got[0].at != "/dev/ttyUSB2" || got[0].pcm != "/dev/ttyUSB10" || got[1].at != "/dev/ttyUSB4" || got[1].pcm != "/dev/ttyUSB5" ||
		got[2].at != "/dev/ttyUSB6" || got[2].pcm != "/dev/ttyUSB7" {
		t.Errorf("devices %+v", got)
	}
}

// stream is a line for sound that gives what it was given.
type stream struct {
	in     []byte
	out    []byte
	room   int // bytes that it takes; negative: any
	closed bool
}

func (s *stream) ReadUntil(p []byte, _ time.Time) (int, error) {
	if s.closed {
		return 0, hal.ErrGone
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *stream) TryWrite(p []byte) (int, error) {
	n := len(p)
	if s.room >= 0 {
		n = min(n, s.room)
		s.room -= n
	}
	s.out = append(s.out, p[:n]...)
	return n, nil
}

func (s *stream) Discard() error { return nil }
func (s *stream) Close() error   { return nil }

// wave is n samples of a sine as bytes, after so many stray ones.
func wave(n, stray int, level float64) []byte {
	b := make([]byte, stray, stray+2*n)
	for i := range b {
		b[i] = 0x55
	}
	for i := range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(level*math.Sin(2*math.Pi*440*float64(i)/8000))))
	}
	return b
}

// TestAlignment: a stream that begins with half a sample is noticed by its energy,
// also when it begins silent, and at every level.
func TestAlignment(t *testing.T) {
	for _, stray := range []int{0, 1} {
		for _, silent := range []int{0, 800} {
			for _, level := range []float64{300, 3000, 30000} {
				s := newSound()
				in := append(wave(silent, stray, 0), wave(1600, 0, level)...)
				s.attach(&stream{in: in, room: -1})
				s.begin()
				var f [160]int16
				peak := 0
				for i := range (silent + 1600) / 160 {
					if _, err := s.Read(f[:]); err != nil {
						t.Fatal(err)
					}
					for _, v := range f {
						if i > silent/160+1 {
							peak = max(peak, int(v), -int(v))
						}
					}
				}
				if float64(peak) > level*1.05 || float64(peak) < level*0.9 {
					t.Errorf("%d stray bytes, %d silent samples, level %.0f: the loudest sample is %d", stray, silent, level, peak)
				}
				if got := s.counters().misaligned; got != uint64(stray) {
					t.Errorf("%d stray bytes, %d silent samples, level %.0f: %d were dropped", stray, silent, level, got)
				}
				s.Close()
			}
		}
	}
}

// TestStuckLine: a line that takes nothing stops nobody, and what is written later
// is whole samples.
func TestStuckLine(t *testing.T) {
	s := newSound()
	defer s.Close()
	line := &stream{room: 101}
	s.attach(line)
	s.begin()
	f := make([]int16, 160)
	for i := range f {
		f[i] = 0x0102
	}
	for range 6 {
		if _, err := s.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if len(line.out) != 101 || s.counters().dropped == 0 {
		t.Errorf("%d bytes out, %d frames dropped", len(line.out), s.counters().dropped)
	}
	line.room = -1
	if _, err := s.Write(f); err != nil {
		t.Fatal(err)
	}
	if len(line.out)%2 != 0 {
		t.Errorf("%d bytes out", len(line.out))
	}
	for i, b := range line.out {
		if want := byte(2 - i%2); b != want {
			t.Fatalf("byte %d is %d, want %d", i, b, want)
		}
	}
}

func TestSoundEnds(t *testing.T) {
	s := newSound()
	line := &stream{room: -1}
	s.attach(line)
	s.begin()
	line.closed = true
	var f [160]int16
	if n, err := s.Read(f[:]); n != len(f) || err != nil {
		t.Errorf("Read of a line that has gone: %d, %v", n, err)
	}
	s.Close()
	if _, err := s.Read(f[:]); !errors.Is(err, hal.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := s.Write(f[:]); !errors.Is(err, hal.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}

func TestSoundDoesNotAllocate(t *testing.T) {
	s := newSound()
	defer s.Close()
	in := wave(160, 0, 1000)
	line := &stream{room: -1, out: make([]byte, 0, 1<<20)}
	s.attach(line)
	s.begin()
	var f [160]int16
	if n := testing.AllocsPerRun(20, func() {
		line.in, line.out = in, line.out[:0]
		if _, err := s.Read(f[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(f[:]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a frame each way", n)
	}
}
