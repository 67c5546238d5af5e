package sms

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/hal"
	"callbox/hal/at"

	"github.com/warthog618/sms/encoding/gsm7"
	"github.com/warthog618/sms/encoding/ucs2"
)

// ussdWait is how long a network may take to answer.
const ussdWait = 60 * time.Second

// What a network says with +CUSD (TS 27.007 §7.15).
const (
	ussdDone        = 0
	ussdMore        = 1
	ussdEnded       = 2
	ussdOther       = 3
	ussdUnsupported = 4
	ussdTimeout     = 5
)

// USSD implements [hal.Texter].
func (s *Service) USSD(ctx context.Context, code string) (hal.USSDAnswer, error) {
	if code == "" || len(code) > 182 || strings.ContainsAny(code, "\"\r\n\x1a\x1b") {
		return hal.USSDAnswer{}, fmt.Errorf("%w: it has up to 182 characters, no quotes and no line ends", hal.ErrUSSDRefused)
	}
	if !s.ussd.TryLock() {
		return hal.USSDAnswer{}, hal.ErrUSSDBusy
	}
	defer s.ussd.Unlock()
	s.asking(true)
	defer s.asking(false)
	text := code
	if s.cfg.PackedUSSD {
		septets, err := gsm7.Encode([]byte(code))
		if err != nil {
			return hal.USSDAnswer{}, fmt.Errorf("%w: %q has characters that the modem cannot send", hal.ErrUSSDRefused, code)
		}
		text = strings.ToUpper(hex.EncodeToString(gsm7.Pack7BitUSSD(septets, 0)))
	}
	ctx, cancel := context.WithTimeout(ctx, ussdWait)
	defer cancel()
	if _, err := s.cfg.Do(ctx, at.Command{Text: `AT+CUSD=1,"` + text + `",15`, Class: at.Network, Secret: true}); err != nil {
		return hal.USSDAnswer{}, s.ussdError(ctx, err)
	}
	select {
	case u := <-s.answers:
		return s.ussdAnswer(u.Line)
	case <-s.cfg.Gone:
		return hal.USSDAnswer{}, fmt.Errorf("%w: the modem was lost while the network was asked", hal.ErrNotReady)
	case <-ctx.Done():
		err := s.ussdError(ctx, ctx.Err())
		if errors.Is(err, hal.ErrUSSDTimeout) {
			// Without, some modems refuse the next one.
			_, _ = s.cfg.Do(context.WithoutCancel(ctx), at.Command{Text: "AT+CUSD=2", Class: at.Radio})
		}
		return hal.USSDAnswer{}, err
	}
}

// asking notes whether a question is under way, and forgets old answers.
func (s *Service) asking(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = on
	select {
	case <-s.answers:
	default:
	}
}

// CancelUSSD implements [hal.Texter].
func (s *Service) CancelUSSD(ctx context.Context) error {
	s.mu.Lock()
	open := s.open
	s.open = false
	s.mu.Unlock()
	if !open {
		return nil
	}
	if _, err := s.cfg.Do(ctx, at.Command{Text: "AT+CUSD=2", Class: at.Radio}); err != nil {
		return fmt.Errorf("end the USSD session: %w", err)
	}
	return nil
}

func (*Service) ussdError(ctx context.Context, err error) error {
	var cme *at.CMEError
	var final *at.FinalError
	switch {
	case errors.As(err, &cme):
		return fmt.Errorf("%w: %w", hal.ErrUSSDRefused, err)
	case errors.As(err, &final):
		return fmt.Errorf("%w; on a network with LTE only, many do not", hal.ErrUSSDRefused)
	case errors.Is(err, at.ErrTimeout), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return hal.ErrUSSDTimeout
	default:
		return fmt.Errorf("ask by USSD: %w", err)
	}
}

// ussdAnswer reads +CUSD: m[,"text"[,dcs]].
func (s *Service) ussdAnswer(line string) (hal.USSDAnswer, error) {
	m, text, dcs := cutCUSD(line)
	if s.cfg.PackedUSSD || wide(dcs) {
		text = decodeUSSD(text, dcs)
	}
	s.mu.Lock()
	s.open = m == ussdMore
	s.mu.Unlock()
	a := hal.USSDAnswer{Text: text, More: m == ussdMore}
	switch m {
	case ussdDone, ussdMore:
		return a, nil
	case ussdEnded:
		if text != "" {
			return a, nil
		}
		return a, fmt.Errorf("%w: it ended the session", hal.ErrUSSDRefused)
	case ussdOther:
		return a, hal.ErrUSSDBusy
	case ussdUnsupported:
		return a, fmt.Errorf("%w: it does not know it", hal.ErrUSSDRefused)
	case ussdTimeout:
		return a, hal.ErrUSSDTimeout
	default:
		return a, fmt.Errorf("%w (%d)", hal.ErrUSSDRefused, m)
	}
}

// cutCUSD takes the line apart. The text may hold quotes and commas.
func cutCUSD(line string) (m int, text string, dcs byte) {
	rest := strings.TrimSpace(strings.TrimPrefix(line, "+CUSD:"))
	head, tail, _ := strings.Cut(rest, ",")
	m, err := strconv.Atoi(strings.TrimSpace(head))
	if err != nil {
		m = -1
	}
	dcs = 15
	first, last := strings.IndexByte(tail, '"'), strings.LastIndexByte(tail, '"')
	if first < 0 || last <= first {
		return m, "", dcs
	}
	if n, err := strconv.Atoi(strings.Trim(tail[last+1:], ", ")); err == nil {
		dcs = byte(n)
	}
	return m, tail[first+1 : last], dcs
}

// wide reports whether the coding scheme is UCS-2 (TS 23.038 §5).
func wide(dcs byte) bool {
	return dcs&0xC0 == 0x40 && dcs&0x0C == 0x08 || dcs == 0x11
}

// decodeUSSD decodes hexadecimal digits; what are none is the text itself.
func decodeUSSD(text string, dcs byte) string {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		return text
	}
	if wide(dcs) {
		if dcs == 0x11 && len(b) > 2 { // the language stands before it, in GSM-7
			b = b[2:]
		}
		r, err := ucs2.Decode(b)
		if err != nil {
			return text
		}
		return string(r)
	}
	plain, err := gsm7.Decode(gsm7.Unpack7BitUSSD(b, 0))
	if err != nil {
		return text
	}
	return string(plain)
}
