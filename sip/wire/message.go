package wire

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// cookie starts every branch of RFC 3261 (§8.1.1.7).
const cookie = "z9hG4bK"

// NewTag makes a From or To tag, branch or Call-ID part of 80 random bits:
// whoever knows it has seen a message of the dialog.
func NewTag() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// Param finds a header or URI parameter by name, in any case.
func Param(ps sip.HeaderParams, name string) (string, bool) {
	for _, p := range ps {
		if strings.EqualFold(strings.TrimSpace(p.K), name) {
			return strings.Trim(strings.TrimSpace(p.V), `"`), true
		}
	}
	return "", false
}

// NewResponse builds a response as RFC 3261 §8.2.6 wants it: the request's Via,
// From, To, Call-ID and CSeq, its Record-Route where a dialog may start, and
// toTag when To has no tag yet. A 100 gets no tag.
func NewResponse(req *sip.Request, status int, phrase, toTag string) *sip.Response {
	res := sip.NewResponse(status, phrase)
	sip.CopyHeaders("Via", req, res)
	if status > 100 && status < 300 && (req.IsInvite() || req.Method == sip.UPDATE || req.Method == sip.SUBSCRIBE) {
		sip.CopyHeaders("Record-Route", req, res)
	}
	res.AppendHeader(sip.HeaderClone(req.From()))
	to := sip.HeaderClone(req.To()).(*sip.ToHeader)
	if _, has := Param(to.Params, "tag"); !has && status != sip.StatusTrying && toTag != "" {
		to.Params.Add("tag", toTag)
	}
	res.AppendHeader(to)
	res.AppendHeader(sip.HeaderClone(req.CallID()))
	res.AppendHeader(sip.HeaderClone(req.CSeq()))
	if status == sip.StatusTrying {
		sip.CopyHeaders("Timestamp", req, res)
	}
	res.SetBody(nil)
	return res
}

// encode gives the bytes of a message.
func encode(m sip.Message) []byte {
	var b bytes.Buffer
	b.Grow(1024)
	m.StringWrite(&b)
	return b.Bytes()
}

// keepSeconds is how often we advise others to keep their way to us open: NATs forget
// what is silent for half a minute (RFC 5626 §4.4).
const keepSeconds = 25

// markVia writes into the top Via where the request came from (RFC 3261
// §18.2.1, RFC 3581 §4).
func markVia(req *sip.Request, flow Flow) {
	via := req.Via()
	src := flow.Remote.Addr().WithZone("").String()
	_, rport := Param(via.Params, "rport")
	if rport {
		via.Params.Add("rport", strconv.Itoa(int(flow.Remote.Port())))
	}
	if v, ok := Param(via.Params, "keep"); ok && v == "" { // it would keep its way open (RFC 6223 §4.4)
		via.Params.Add("keep", strconv.Itoa(keepSeconds))
	}
	if rport || strings.Trim(via.Host, "[]") != src {
		via.Params.Add("received", src)
	}
}

// responseFlow is the path of the responses to a request: where it came from.
// Over UDP, without rport, the port is the one of Via (RFC 3261 §18.2.2). Only a
// sender who names a private address that is not where we heard it sits behind a
// NAT that has no such port: it is answered as if it had asked for rport.
func responseFlow(req *sip.Request, flow Flow) Flow {
	if flow.conn != nil {
		return flow
	}
	via := req.Via()
	if _, rport := Param(via.Params, "rport"); rport {
		return flow
	}
	if host, err := netip.ParseAddr(strings.Trim(via.Host, "[]")); err == nil && host.Unmap() != flow.Remote.Addr().WithZone("") && inside(host.Unmap()) {
		return flow
	}
	port := 5060
	if via.Port > 0 {
		port = via.Port
	}
	flow.Remote = netip.AddrPortFrom(flow.Remote.Addr(), uint16(port))
	return flow
}

func branchOf(via *sip.ViaHeader) string {
	b, _ := Param(via.Params, "branch")
	return b
}

func clientKey(branch string, method sip.RequestMethod) string {
	return branch + " " + string(method)
}

// serverKey identifies the transaction of a request (RFC 3261 §17.2.3), or the
// INVITE that an ACK or CANCEL belongs to when method says so.
func serverKey(req *sip.Request, method sip.RequestMethod) string {
	via := req.Via()
	branch := branchOf(via)
	sentBy := strings.ToLower(via.Host) + ":" + strconv.Itoa(via.Port)
	if strings.HasPrefix(branch, cookie) && len(branch) > len(cookie) {
		return branch + " " + sentBy + " " + string(method)
	}
	// RFC 2543 senders have no unique branch.
	tag, _ := Param(req.From().Params, "tag")
	return strings.Join([]string{"2543", req.CallID().Value(), tag, strconv.Itoa(int(req.CSeq().SeqNo)), sentBy, string(method)}, " ")
}
