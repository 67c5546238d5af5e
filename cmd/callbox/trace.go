package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"callbox/api/admin"
	"callbox/call"
	"callbox/call/trace"
	"callbox/hal/at"
	"callbox/media/rtp"
	"callbox/sip/wire"
)

// watch files a SIP message of a call in the trace.
func (a *app) watch(m wire.Message) {
	local := m.Flow.Local
	if !local.Addr().IsValid() && a.stack != nil {
		local = a.stack.Addr(m.Flow.Transport)
	}
	a.trace.Message(m.At, m.CallID, m.Flow.Transport, m.Sent, local, m.Flow.Remote, m.Raw)
}

// beforeCall is how many lines of a modem's dialogue are kept for the call that may
// follow; what is said between calls would push others' calls out of the trace.
const beforeCall = 12

// traceModem files what is said to a modem, and by it, during its calls.
func (a *app) traceModem(line string, busy func() bool) func(at.Entry) {
	var mu sync.Mutex // guards last
	var last []at.Entry
	return func(e at.Entry) {
		mu.Lock()
		defer mu.Unlock()
		if last = append(last, e); !busy() {
			last = last[max(0, len(last)-beforeCall):]
			return
		}
		for _, e := range last {
			a.trace.Line(e.At, line, "AT", e.Out, e.Text)
		}
		last = last[:0]
	}
}

// watcher files the sound of calls, as it is on the wire.
type watcher struct{ sound *trace.Sound }

// Datagram implements rtp.Watcher.
func (w watcher) Datagram(d rtp.Datagram) {
	w.sound.Packet(d.At, d.Name, d.Sent, d.Local, d.Remote, d.Data)
}

// Capture implements admin.Capturer.
func (g gateway) Capture(id string) *trace.Capture {
	return trace.NewCapture(g.a.trace, g.a.sound, id)
}

// traceCmd shows what was said for a call.
type traceCmd struct {
	dataDir
	Call   string        `arg:"" help:"The call's id (callbox calls lists them); next with --rtp: the one that begins next."`
	Full   bool          `short:"f" help:"Print the messages whole."`
	Pcap   string        `help:"Write the messages to this file, for Wireshark and the like; - is the standard output." type:"path" placeholder:"FILE"`
	RTP    bool          `name:"rtp" help:"Write the call's RTP and RTCP too: what is remembered of the last seconds, and what comes until the call ends. SRTP stays encrypted."`
	For    time.Duration `help:"With --rtp: write for so long at most." default:"10m"`
	Output string        `short:"o" enum:"ladder,json" default:"ladder" help:"ladder or json."`
}

// next stands for the call that begins next.
const next = "next"

// Run shows it.
func (c *traceCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	if c.RTP {
		return c.capture(ctx, cl)
	}
	entries, err := cl.Trace(ctx, c.Call)
	switch {
	case err != nil:
		return err
	case c.Pcap != "":
		var b bytes.Buffer
		if err := trace.WritePcapng(&b, entries); err != nil {
			return err
		}
		out, err := c.open()
		if err != nil {
			return err
		}
		_, err = out.Write(b.Bytes())
		return closed(out, err)
	case c.Output == "json":
		return printJSON(entries)
	}
	return trace.Ladder(os.Stdout, entries, c.Full)
}

// open opens what the capture is written to.
func (c *traceCmd) open() (*os.File, error) {
	if c.Pcap == "-" {
		return os.Stdout, nil
	}
	f, err := os.OpenFile(c.Pcap, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the capture: %w", err)
	}
	return f, nil
}

// closed closes a capture that was written with err.
func closed(f *os.File, err error) error {
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the capture: %w", err)
	}
	return nil
}

// capture writes the call's messages and sound until it ends.
func (c *traceCmd) capture(ctx context.Context, cl *admin.Client) error {
	if c.Pcap == "" {
		return errors.New("--rtp needs a file: --pcap FILE, or --pcap - to hand it to another program")
	}
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	id := c.Call
	if id == next {
		var err error
		if id, err = nextCall(ctx, cl); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "call", id)
	}
	if _, err := cl.Call(ctx, id); err != nil { // before a file is made
		return err
	}
	out, err := c.open()
	if err != nil {
		return err
	}
	return closed(out, cl.Capture(ctx, id, out))
}

// nextCall waits for a call to begin that no other call has dialled.
func nextCall(ctx context.Context, cl *admin.Client) (id string, err error) {
	err = cl.Events(ctx, "", nil, func(ev admin.Event) bool {
		if ev.Type == call.EventInitiated && ev.Record.Parent == "" {
			id = ev.Record.ID
		}
		return id == ""
	})
	switch {
	case id != "":
		return id, nil
	case ctx.Err() != nil:
		return "", errors.New("no call began in time; --for says how long is waited")
	case err == nil:
		err = errors.New("the gateway has stopped")
	}
	return "", err
}
