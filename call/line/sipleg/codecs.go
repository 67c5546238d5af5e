package sipleg

import (
	"context"
	"slices"

	"callbox/media/codec"
	"callbox/sip/sdp"
)

// codecs are those of the line, also those that it only passes on.
func (c Config) codecs() []codec.Codec {
	if list := sdp.Named(c.Codecs); len(list) > 0 {
		return list
	}
	return []codec.Codec{codec.PCMU, codec.PCMA}
}

// spoken are those of the line that the box decodes.
func (c Config) spoken() []codec.Codec {
	return slices.DeleteFunc(c.codecs(), func(x codec.Codec) bool { return !x.Decodable() })
}

// wished are the line's codecs with those of prefer first. Without pass only what
// the box decodes is among them, with it also what prefer names.
func (c Config) wished(prefer []string, pass bool) []codec.Codec {
	list := c.spoken()
	if pass {
		for _, x := range sdp.Named(prefer) {
			if !x.Decodable() && slices.Contains(c.codecs(), x) {
				list = append(list, x)
			}
		}
	}
	return sdp.Prefer(list, sdp.Named(prefer))
}

// Offered implements call.CodecChooser.
func (l *Leg) Offered() (codecs []string) {
	_ = l.onLoop(context.Background(), func() error { // else there is nothing to tell
		t := &l.talk
		switch {
		case !t.media.Codec.IsZero():
			codecs = []string{named(t.media.Codec, t.media.Fmtp)}
		case t.offer != nil && !t.answered:
			for _, x := range t.offer.Codecs(l.cfg.look()) {
				codecs = append(codecs, named(x.Codec, x.Fmtp))
			}
		}
		return nil
	})
	return codecs
}

// named is a codec in a list of call.Dial. Parameters of those that the box decodes
// are its own affair.
func named(c codec.Codec, fmtp string) string {
	if fmtp == "" || c.Decodable() {
		return c.Name
	}
	return c.Name + " " + fmtp
}

// Prefer implements call.CodecChooser.
func (l *Leg) Prefer(codecs []string) {
	_ = l.onLoop(context.Background(), func() error { // a leg that has ended does not care
		t := &l.talk
		if t.answered || t.answer != nil || t.offer == nil {
			return nil
		}
		b := t.branches[0]
		for _, x := range sdp.Named(codecs) {
			one := b.local
			one.Codecs, one.Fmtp = []codec.Codec{x}, sdp.Parameters(codecs)
			if _, _, err := t.offer.Choose(one); err == nil && slices.Contains(l.cfg.codecs(), x) {
				b.local = one
				return nil
			}
		}
		return nil
	})
}

// spoken brings our wishes for a branch's session back to what the box decodes.
func (l *Leg) spoken(local *sdp.Local) {
	local.Far, local.Fax, local.Fmtp = nil, nil, nil
	local.Codecs = l.cfg.spoken()
}

// everything are all codecs that two far ends may agree on.
func everything() []codec.Codec { return append(codec.All(), codec.Foreign()...) }
