package sip

import (
	"bytes"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// maxForks bounds the early dialogs of one INVITE; further ones are as if they
// said nothing before their answer.
const maxForks = 16

// early is what one branch of a forked INVITE of ours has said before an answer
// (RFC 3261 §12.1).
type early struct {
	path   path   // with its tag, target, routes and flow
	sdp    []byte // its session description, the latest
	rseq   uint32 // of its last reliable response (RFC 3262)
	agreed bool   // the session was agreed on reliably
}

// branchOf is the early dialog of a provisional response, nil when it makes none.
// It is called with mu held.
func (d *Dialog) branchOf(res *gosip.Response, flow wire.Flow) *early {
	tag, ok := wire.Param(res.To().Params, "tag")
	if !ok || tag == "" {
		return nil
	}
	e := d.early[tag]
	if e == nil {
		if len(d.early) >= maxForks {
			return nil
		}
		e = &early{}
		if d.early == nil {
			d.early = map[string]*early{}
		}
		d.early[tag] = e
	}
	seq := e.path.remoteSeq
	fork := d.fork(d.path)
	fork.path.remote = gosip.FromHeader{DisplayName: d.path.remote.DisplayName, Address: d.path.remote.Address}
	fork.follow(res, flow, tag)
	e.path = fork.path
	e.path.remoteSeq = seq
	return e
}

// fork is a dialog for building requests of one branch.
func (d *Dialog) fork(p path) *Dialog {
	return &Dialog{s: d.s, info: d.info, localTag: d.localTag, path: p, session: session{terms: d.session.terms}}
}

// news reports whether a provisional response is to be told: a reliable one that
// is repeated, or that comes before one that got lost, is not (RFC 3262 §4).
func (d *Dialog) news(e *early, res *gosip.Response) bool {
	if !hasToken(tokens(res, "Require"), "100rel") {
		return true
	}
	seq := rseqOf(res)
	if e == nil || seq == 0 || e.rseq != 0 && seq != e.rseq+1 {
		return false
	}
	e.rseq = seq
	sdp, ok := sdpOf(res)
	switch {
	case sdp != nil && !d.call.offered() && !e.agreed: // it is an offer: AcceptOffer sends the PRACK
		d.offer = &pendingOffer{early: e, res: res}
		return true
	case sdp != nil && ok:
		e.agreed = true
	}
	d.prack(e, res, nil)
	return true
}

// prack acknowledges a reliable provisional response. It is called with mu held.
func (d *Dialog) prack(e *early, res *gosip.Response, sdp []byte) {
	d.path.localSeq++
	fork := d.fork(e.path)
	req := fork.request(gosip.PRACK, d.path.localSeq)
	cseq := res.CSeq()
	req.AppendHeader(gosip.NewHeader("RAck", strconv.Itoa(int(rseqOf(res)))+" "+strconv.Itoa(int(cseq.SeqNo))+" "+string(cseq.MethodName)))
	setBody(req, sdpType, sdp)
	x := &exchange{s: d.s, req: req, dest: fork.dest(), creds: d.path.creds, seq: d.nextSeq}
	x.on = func(res *gosip.Response, _ wire.Flow, err error) {
		if err != nil || res.StatusCode >= 300 {
			d.s.log.Debug("PRACK not taken", "call", d.info.CallID, "err", err) // the far end repeats its response, or gives up
		}
	}
	if err := x.start(); err != nil {
		d.s.log.Debug("PRACK not sent", "call", d.info.CallID, "err", err)
	}
}

// rseqOf is the number of a reliable response; 0: it has none.
func rseqOf(m gosip.Message) uint32 {
	hs := m.GetHeaders("RSeq")
	if len(hs) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(hs[0].Value()), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// onProvisional takes a 1xx to our INVITE.
func (d *Dialog) onProvisional(res *gosip.Response, flow wire.Flow) {
	if d.state != dsCalling || res.StatusCode == 100 {
		return
	}
	e := d.branchOf(res, flow)
	if !d.news(e, res) {
		return
	}
	ev := DialogEvent{Type: Ringing, Status: res.StatusCode, Text: clean(res.Reason), Reason: reasonOf(res)}
	sdp, _ := sdpOf(res)
	switch {
	case sdp != nil && e != nil && bytes.Equal(sdp, e.sdp):
		return // said already
	case sdp != nil:
		ev.Type, ev.SDP = Progress, sdp
		ev.Local, ev.Remote = d.call.server()
		if e != nil {
			e.sdp = sdp
		}
	case res.StatusCode == 180 && d.ringing:
		return
	}
	d.ringing = d.ringing || res.StatusCode == 180
	d.emit(ev)
}
