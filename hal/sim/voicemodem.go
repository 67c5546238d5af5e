package sim

import (
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbox/media/dtmf"
)

// VoiceModel is a make of V.253 voice modem.
type VoiceModel string

// The makes that are simulated.
const (
	CX930xx VoiceModel = "cx930xx" // Conexant
	USR5637 VoiceModel = "usr5637"
)

// Bytes that mean something in a stream (V.253 §8.2).
const (
	dle  = 0x10
	etx  = 0x03
	can  = 0x18
	dash = '^'
)

// Limits of a voice modem.
const (
	txRoom     = 2048 // samples that wait to be played
	outRoom    = 16384
	lineRoom   = 128
	hearBusy   = 3 * time.Second // busy tone until the modem reports it
	hearDial   = time.Second
	pulsePause = 750 * time.Millisecond // between digits
	flashTime  = 500 * time.Millisecond
	codecDly   = 480 // samples of the modem's own delay, from the line to the port: 60 ms
)

// VoiceModemFaults are what can be wrong with a modem. The zero value is a good one.
type VoiceModemFaults struct {
	Corrupt   float64 `json:"corrupt,omitempty"`    // share of bytes that arrive as others, both ways
	Split     bool    `json:"split,omitempty"`      // bytes come in pieces of any size
	Mute      bool    `json:"mute,omitempty"`       // it answers nothing
	FalseBusy bool    `json:"false_busy,omitempty"` // it reports a busy tone, and a break of the loop, every second
	FalseKeys bool    `json:"false_keys,omitempty"` // it reports a key every second
	TakeKeys  bool    `json:"take_keys,omitempty"`  // it takes the tones of keys out of the sound
	SlowOK    bool    `json:"slow_ok,omitempty"`    // it answers after two seconds
	RatePPM   float64 `json:"rate_ppm,omitempty"`   // error of its clock
	Seed      uint64  `json:"-"`                    // of what is corrupted
}

// VoiceModem is a V.253 modem on an exchange line, as it is seen through its serial
// port, byte by byte.
type VoiceModem struct {
	model VoiceModel
	line  *Exchange
	wg    sync.WaitGroup
	done  chan struct{}
	once  sync.Once

	mu     sync.Mutex // guards what follows
	cond   *sync.Cond // of out and tx
	far    io.ReadWriteCloser
	gen    int // counts the wires: what belongs to an older one ends
	out    []byte
	faults VoiceModemFaults
	rnd    *rand.Rand

	echo, quiet, numeric bool
	class                int
	callerID             bool
	idMode               CallerIDKind // the way of telling the caller that it understands
	cmd                  []byte
	off                  bool
	duplex, escaped      bool
	tx                   []int16
	starved              bool
	job                  *dialJob
	delay                [codecDly]int16
	delayAt              int
	keys                 *dtmf.Detector
	toldBusy, toldDial   bool
	ticks                int
	underruns, overruns  int
}

// dialJob is a number being dialled.
type dialJob struct {
	digits string
	pulse  bool
	pulses byte          // the digit whose pulses are being sent
	wait   time.Duration // until the next step
	needs  bool          // dial tone first
	waited time.Duration
	final  string
}

// NewVoiceModem makes a modem on a line. It is plugged in with Plug.
func NewVoiceModem(m VoiceModel, line *Exchange) *VoiceModem {
	v := &VoiceModem{model: m, line: line, done: make(chan struct{}), keys: dtmf.NewDetector(), rnd: rand.New(rand.NewPCG(1, 2))}
	v.cond = sync.NewCond(&v.mu)
	v.reset()
	v.wg.Go(v.clock)
	return v
}

// reset is what ATZ does; v.mu is held.
func (v *VoiceModem) reset() {
	v.echo, v.quiet, v.numeric, v.class, v.callerID, v.duplex, v.escaped = true, false, false, 0, false, false, false
	v.idMode, v.cmd, v.tx, v.job = Bellcore, nil, nil, nil
}

// SetFaults replaces the faults.
func (v *VoiceModem) SetFaults(f VoiceModemFaults) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f.Seed != v.faults.Seed {
		v.rnd = rand.New(rand.NewPCG(f.Seed, 2))
	}
	v.faults = f
}

// Faults are the present ones.
func (v *VoiceModem) Faults() VoiceModemFaults {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.faults
}

// Stream reports whether the modem is in duplex (AT+VTR), and how often it had
// nothing to play, and could not get rid of what it heard, since it was made.
func (v *VoiceModem) Stream() (duplex bool, underruns, overruns int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.duplex, v.underruns, v.overruns
}

// Backlog is how many samples wait to be played.
func (v *VoiceModem) Backlog() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.tx)
}

// take takes a byte of the box; v.mu is held.
func (v *VoiceModem) take(c byte) {
	if v.duplex {
		v.takeSound(c)
		return
	}
	if v.job != nil { // any byte ends a dial (V.250 §5.6.1)
		if c != '\n' {
			v.job = nil
			v.setHook(v.class == 8 && v.off)
			v.say("ERROR")
		}
		return
	}
	if v.echo {
		v.send(c)
	}
	switch {
	case c == '\r':
		line := strings.TrimSpace(string(v.cmd))
		v.cmd = v.cmd[:0]
		if at := strings.LastIndex(strings.ToUpper(line), "AT"); at >= 0 {
			v.command(line[at+2:])
		}
	case c == 8 && len(v.cmd) > 0:
		v.cmd = v.cmd[:len(v.cmd)-1]
	case c >= ' ' && c < 0x7f && len(v.cmd) < lineRoom:
		v.cmd = append(v.cmd, c)
	}
}

// command runs a command line behind its AT; v.mu is held.
func (v *VoiceModem) command(line string) {
	line = strings.ReplaceAll(line, " ", "")
	upper := strings.ToUpper(line)
	for i := 0; i < len(upper); {
		rest := upper[i:]
		switch c := rest[0]; {
		case c == ';':
			i++
		case c == 'D':
			v.dial(rest[1:])
			return
		case strings.IndexByte("+-!#%*", c) >= 0:
			end := strings.IndexByte(rest, ';')
			if end < 0 {
				end = len(rest)
			}
			if !v.extended(rest[:end]) {
				v.say("ERROR")
				return
			}
			if v.duplex {
				return // CONNECT was said
			}
			i += end
		default:
			n := 1
			if c == '&' && len(rest) > 1 {
				n = 2
			}
			for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || c == 'S' && (rest[n] == '=' || rest[n] == '?')) {
				n++
			}
			if !v.basic(rest[:n]) {
				v.say("ERROR")
				return
			}
			i += n
		}
	}
	v.ok()
}

func (v *VoiceModem) ok() {
	if v.faults.SlowOK {
		gen := v.gen
		time.AfterFunc(2*time.Second, func() {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.gen == gen && !v.duplex {
				v.say("OK")
			}
		})
		return
	}
	v.say("OK")
}

// basic runs a command of one letter; v.mu is held.
func (v *VoiceModem) basic(c string) bool {
	switch c {
	case "E", "E0":
		v.echo = false
	case "E1":
		v.echo = true
	case "Z", "Z0", "&F", "&F0", "&F1":
		v.setHook(false)
		v.reset()
	case "H", "H0":
		v.setHook(false)
	case "H1", "A":
		v.setHook(true)
	case "I", "I0":
		v.say(map[VoiceModel]string{CX930xx: "56000", USR5637: "5601"}[v.model])
	case "I3":
		v.say(map[VoiceModel]string{CX930xx: "CX93001-EIS_V0.2002-V92", USR5637: "U.S. Robotics 56K FAX USB V1.2.23"}[v.model])
	default:
		return strings.IndexByte("VQXMLS&BNTPWY", c[0]) >= 0
	}
	return true
}

// extended runs a command with a name; v.mu is held.
func (v *VoiceModem) extended(c string) bool {
	name, value, set := strings.Cut(c, "=")
	query := set && value == "?"
	switch name {
	case "+FCLASS":
		return v.setClass(value, query)
	case "+FCLASS?":
		v.say(strconv.Itoa(v.class))
	case "+VSM":
		if query {
			v.methods()
			return true
		}
		return v.class == 8 && (strings.HasPrefix(value, "131,8000") || value == "131")
	case "+VLS":
		return v.selectLine(value, query)
	case "+VTR":
		if set || v.class != 8 || !v.off {
			return false // some say ERROR to the query, and can do it
		}
		v.duplex, v.escaped, v.starved, v.tx = true, false, false, v.tx[:0]
		v.say("CONNECT")
	case "+VTS":
		if v.class != 8 || !v.off {
			return false
		}
		if value == "!" {
			v.line.flash()
		}
	case "+VCID", "-SCID":
		v.callerID = value == "1"
		return query || value == "1" || value == "0"
	case "!4886":
		if v.model != CX930xx {
			return false
		}
		mode, ok := map[string]CallerIDKind{"00": Bellcore, "01": Japan, "02": ETSI, "03": SIN227, "05": DTMFID}[value]
		v.idMode = mode
		return ok
	case "!4892", "-STE", "+GCI", "+VSD", "+VIT", "+VGT", "+VGR", "+VRA", "+VRN", "+VDR":
		if name == "+GCI" && !query {
			v.country(value)
		}
		return !strings.HasPrefix(name, "!") && !strings.HasPrefix(name, "-") || v.model == CX930xx
	case "+GMI", "+FMI", "+GMM", "+FMM", "+FMI?", "+FMM?", "+GMR":
		v.say(map[VoiceModel]string{CX930xx: "CONEXANT", USR5637: "U.S. Robotics"}[v.model])
	default:
		return false
	}
	return true
}

// country is what a USR modem takes the way of telling callers from.
func (v *VoiceModem) country(code string) {
	if v.model == USR5637 {
		v.idMode = map[string]CallerIDKind{"42": ETSI, "3D": ETSI, "B4": SIN227, "00": Japan, "53": DTMFID, "16": DTMFID}[code]
		if v.idMode == "" {
			v.idMode = Bellcore
		}
	}
}

func (v *VoiceModem) setClass(value string, query bool) bool {
	if query {
		v.say(map[VoiceModel]string{CX930xx: "0,1,1.0,8", USR5637: "0,1,2,8"}[v.model])
		return true
	}
	class, ok := map[string]int{"0": 0, "1": 1, "8": 8}[value]
	if ok {
		v.class = class
		if class == 0 {
			v.setHook(false)
		}
	}
	return ok
}

// methods lists the compression methods.
func (v *VoiceModem) methods() {
	lines := []string{`0,"SIGNED PCM",8,0,8000,0,0`, `1,"UNSIGNED PCM",8,0,8000,0,0`, `129,"IMA ADPCM",4,0,8000,0,0`,
		`130,"UNSIGNED PCM",8,0,8000,0,0`, `131,"Mu-Law",8,0,8000,0,0`, `132,"A-Law",8,0,8000,0,0`, `133,"14 bit PCM",14,0,8000,0,0`}
	if v.model == USR5637 {
		lines = []string{"128,8-BIT LINEAR,(7200,8000,11025)", "129,16-BIT LINEAR,(7200,8000,11025)", "130,8-BIT ALAW,(8000)",
			"131,8-BIT ULAW,(8000)", "132,IMA ADPCM,(7200,8000,11025)"}
	}
	for _, l := range lines {
		v.say(l)
	}
}

// selectLine is AT+VLS; v.mu is held.
func (v *VoiceModem) selectLine(value string, query bool) bool {
	if query {
		v.say("0,1,2,4,5,6,7")
		return true
	}
	if v.class != 8 {
		return false
	}
	switch value {
	case "0":
		v.setHook(false)
	case "1", "5", "7":
		v.setHook(true)
	case "2", "4", "6":
	default:
		return false
	}
	return true
}

// setHook moves the hook; v.mu is held.
func (v *VoiceModem) setHook(off bool) {
	if off == v.off {
		return
	}
	v.off, v.toldBusy, v.toldDial = off, false, false
	if !off {
		v.duplex, v.job = false, nil
	}
	v.delay = [codecDly]int16{}
	v.line.hook(off)
	if off {
		v.line.wake()
	}
}
