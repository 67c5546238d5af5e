package sipleg

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/media"
	"callbox/media/codec"
	"callbox/media/rtp"
	"callbox/media/webrtc"
	"callbox/sip"
	"callbox/sip/sdp"
)

var (
	_ call.Leg           = (*Leg)(nil)
	_ call.DigitSender   = (*Leg)(nil)
	_ call.CodecTeller   = (*Leg)(nil)
	_ call.MediaReporter = (*Leg)(nil)
	_ call.Teller        = (*Leg)(nil)
	_ call.Adorner       = (*Leg)(nil)
	_ call.Identifier    = (*Leg)(nil)
	_ call.CodecChooser  = (*Leg)(nil)
	_ call.Releaser      = (*Leg)(nil)
	_ call.FaxPasser     = (*Leg)(nil)
)

// Config is what all legs of one line share.
type Config struct {
	Line string    // Line.ID
	Kind call.Kind // Line.Kind
	// Channels bounds the calls at one time; 0: no limit.
	Channels int
	// In and Out bound those that arrive and those that are dialled; 0: no limit.
	In, Out int
	// Title names the line in sentences: "trunk provider", "user 201".
	Title string
	// Direct says that there is nobody between: sentences are about the address
	// that was called and not about the line.
	Direct bool
	// Ports gives the RTP ports.
	Ports *rtp.PortPool
	// Advertise gives the address that session descriptions show instead of the local
	// one, for a box behind a NAT, to far ends outside of it; the zero Addr, or nil:
	// the local one.
	Advertise func() netip.Addr
	// Codecs are those of the line, best first; empty: PCMU and PCMA.
	Codecs []string
	// InbandDigits neither offers nor accepts telephone events: digits are sent
	// and detected as tones in the sound, for far ends that promise events and
	// do not send them.
	InbandDigits bool
	// Security says whether the sound is protected by SRTP with keys in the session
	// descriptions, which are worth what the signalling's transport is.
	Security sdp.Security
	// Transfers lets far ends have their calls transferred without an application
	// that is asked.
	Transfers bool
	// Identity is shown to browsers, whose sound is keyed by DTLS whatever Security
	// says; nil: they are refused.
	Identity *webrtc.Identity
	// Silence is after how long without RTP, while it should send, the far end of an
	// answered leg is asked by OPTIONS whether it still has the call, again and
	// again: phones that suppress silence send nothing for long. One that has lost it
	// or does not answer ends the leg. 0: never.
	Silence time.Duration
	// Terms are how the calls that are dialled are kept.
	Terms sip.Terms
	// Show gives the headers by which the far end is told another party; host is our
	// address. nil: it is not told.
	Show func(p call.Party, host string) []sip.Header
	// Believe reads who the far end says is there now; nil: it is not believed.
	Believe func(headers []sip.Header) (p call.Party, ok bool)
	// Onward lets far ends send calls on to others (3xx).
	Onward bool
	// Logger takes one line per state change; nil discards.
	Logger *slog.Logger
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

// local is what our side would like towards remote, with the codecs in prefer
// first; see wished for pass. It has no keys yet.
func (c Config) local(addr netip.AddrPort, remote netip.Addr, prefer []string, pass bool) sdp.Local {
	addr = netip.AddrPortFrom(c.shown(addr.Addr(), remote), addr.Port())
	return sdp.Local{Addr: addr, Codecs: c.wished(prefer, pass), Fmtp: sdp.Parameters(prefer), NoEvents: c.InbandDigits, Security: c.Security}
}

// shown is what remote is shown for an address of ours.
func (c Config) shown(local, remote netip.Addr) netip.Addr {
	if c.Advertise != nil {
		if a := c.Advertise(); a.IsValid() && sip.Outside(remote, a) {
			return a
		}
	}
	return local
}

// Leg is one party over SIP and RTP. An outgoing leg may ring several phones at
// once, one dialog (branch) each; the first answer makes the leg and ends the
// other branches.
type Leg struct {
	group  *Group
	cfg    Config
	info   call.LegInfo
	log    *slog.Logger
	audio  *audio
	events *outbox
	// keyring belongs to the leg's goroutine once that runs.
	keyring keyring
	arrived *sip.Dialog // of an arriving leg; nil for one that was dialled

	hang chan call.Cause  // Hangup's first cause; holds 1
	asks chan ask         // Progress and Answer
	turn chan struct{}    // holds a token while somebody changes the session
	sigs chan branchEvent // from the branches' goroutines
	keys chan byte        // digits heard; holds digitRoom
	over chan struct{}    // closed when LegEnded was told
	// keyed takes that there are keys for a browser, or why there will be none; holds 1
	keyed chan error
	away  atomic.Bool // the sound goes past the box
	code  atomic.Pointer[codec.Codec]
	lost  atomic.Uint64              // digits dropped because keys was full
	line  atomic.Pointer[sip.Dialog] // of the answered leg; nil before
	tie   atomic.Pointer[tie]        // to whom faxes go as data; nil: nobody

	life    context.Context // ends with the leg
	die     context.CancelFunc
	errands sync.WaitGroup // goroutines beside the leg's own, which end with it

	talk talk // the leg's goroutine's own
}

// talk is the state of a leg that only its goroutine touches.
type talk struct {
	branches []*branch
	live     int // branches whose events have not ended
	chosen   *branch
	answered bool
	ended    bool
	media    sdp.Media // as agreed last; no codec: nothing yet
	offer    *sdp.Description
	answer   []byte      // our answer to an arriving INVITE, made once
	asked    *reoffering // our change that the far end has not answered yet
	released *passage    // the far end was sent to another one; nil: it talks to us
	fax      *seat       // the far end is at a fax; nil: it speaks
	worst    call.Cause
	onward   []string  // where a phone or provider sends the call instead
	packets  uint64    // received when last looked
	heard    time.Time // when packets last rose, or the far end was asked
	up       time.Time // when it was answered
	waiting  bool      // the answer is told when there are keys
}

// branch is one dialog of the leg.
type branch struct {
	d       *sip.Dialog
	session *sdp.Session
	addr    netip.Addr // ours, behind what local shows
	local   sdp.Local
	web     *webrtc.Peer // of a browser; nil: it is none
	ended   bool
	early   bool // it sent sound before the answer
}

// branchEvent is an event of a branch; nil says that no more will come.
type branchEvent struct {
	b *branch
	e *sip.DialogEvent
}

// ask is a request to the leg's goroutine.
type ask struct {
	answer   bool // else progress
	progress call.Progress
	reoffer  *reoffering
	f        func() error // nil: one of the above
	reply    chan error   // holds 1
}

// newLeg makes a leg of g and opens its RTP port.
func newLeg(g *Group, info call.LegInfo) (*Leg, error) {
	l := &Leg{
		group: g, cfg: g.cfg, info: info, events: newOutbox(), log: g.cfg.logger(),
		hang: make(chan call.Cause, 1), asks: make(chan ask), turn: make(chan struct{}, 1), sigs: make(chan branchEvent),
		keys: make(chan byte, digitRoom), over: make(chan struct{}), keyed: make(chan error, 1),
	}
	l.life, l.die = context.WithCancel(context.Background())
	var err error
	if l.keyring, err = newKeyring(g.cfg.Security); err != nil {
		return nil, call.Cause{Q850: call.Q850Temporary, SIP: 500, Who: call.Box, Text: fmt.Sprintf("no keys for a call on %s: %v", g.cfg.Title, err)}
	}
	if l.audio, err = openAudio(g.cfg, l.key); err != nil {
		return nil, call.Cause{
			Q850: call.Q850NotAvailable, SIP: 503, Who: call.Box,
			Text: fmt.Sprintf("no sound port for a call on %s: %v", g.cfg.Title, err),
		}
	}
	return l, nil
}

// newBranch makes a branch whose sound comes from local and whose session
// descriptions show that address to remote, or the one outside.
func (l *Leg) newBranch(local, remote netip.Addr, prefer []string, pass bool) *branch {
	b := &branch{session: sdp.NewSession(), addr: local, local: l.cfg.local(netip.AddrPortFrom(local, l.audio.port()), remote, prefer, pass)}
	b.local.Keys = l.keyring.lines
	return b
}

// Info implements call.Leg.
func (l *Leg) Info() call.LegInfo { return l.info }

// Events implements call.Leg.
func (l *Leg) Events() <-chan *call.LegEvent { return l.events.ch }

// Audio implements call.Leg. The port is a media.Relayer.
func (l *Leg) Audio() media.Port { return l.audio }

// Codec is the name of the codec in use, empty before media was agreed.
func (l *Leg) Codec() string {
	if c := l.code.Load(); c != nil {
		return c.Name
	}
	return ""
}

// MediaStats implements call.MediaReporter; it may be asked after the end.
func (l *Leg) MediaStats() call.MediaStats { return call.MediaStats(l.audio.stream.Stats()) }

// DroppedDigits counts the digits that nobody took in time.
func (l *Leg) DroppedDigits() uint64 { return l.lost.Load() + l.events.dropped.Load() }

// Progress implements call.Leg.
func (l *Leg) Progress(ctx context.Context, p call.Progress) error {
	if !l.info.Inbound {
		return nil
	}
	return l.ask(ctx, ask{progress: p})
}

// Answer implements call.Leg. An outgoing leg is answered by its far end:
// before that, the error wraps call.ErrWrongState.
func (l *Leg) Answer(ctx context.Context) error { return l.ask(ctx, ask{answer: true}) }

func (l *Leg) ask(ctx context.Context, a ask) error {
	a.reply = make(chan error, 1)
	select {
	case <-l.over:
		return call.ErrLegEnded
	default:
	}
	select {
	case l.asks <- a:
	case <-l.over:
		return call.ErrLegEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	// The goroutine replies at once: nothing that it does blocks.
	return <-a.reply
}

// Hangup implements call.Leg. LegEnded follows at once with c itself; what the
// far end still has to say about it no longer matters.
func (l *Leg) Hangup(c call.Cause) {
	select {
	case l.hang <- c:
	default: // told already
	}
}

// SendDigit implements call.DigitSender: as a telephone event (RFC 4733) where
// the far end takes them, else as tones in the sound, in place of what is
// written to Audio meanwhile.
func (l *Leg) SendDigit(ctx context.Context, digit byte, d time.Duration) error {
	if !validDigit(digit) {
		return fmt.Errorf("send digit: %q is not a key", digit)
	}
	if d < 40*time.Millisecond || d > 8*time.Second {
		return fmt.Errorf("send digit: %v is not from 40 ms to 8 s", d)
	}
	select {
	case <-l.over:
		return call.ErrLegEnded
	default:
	}
	if l.code.Load() == nil {
		return fmt.Errorf("send digit before there is sound: %w", call.ErrWrongState)
	}
	if l.away.Load() {
		return l.tellDigit(ctx, digit, d)
	}
	if err := l.audio.sendDigit(ctx, digit, d, l.over); err != nil {
		return fmt.Errorf("send digit: %w", err)
	}
	return nil
}

// key takes a digit heard on a media goroutine; it never blocks.
func (l *Leg) key(d byte) {
	select {
	case l.keys <- d:
	default:
		l.lost.Add(1)
	}
}
