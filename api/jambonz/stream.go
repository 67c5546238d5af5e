package jambonz

import (
	"strings"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/call"
)

var _ api.StreamDialect = (*Dialect)(nil)

// streamProtocols are the names of the language of streams: that of the
// specification, and that which the vendor's own library knows.
var streamProtocols = []string{"audio.jambonz.org", "audio.drachtio.org"}

// OpenStream says how the application of a listen is met: with what is known of
// the call and what the verb hands on, in camel case (call-api.md §6.2).
func (d *Dialect) OpenStream(s call.Stream, rec call.Record) api.StreamOpening {
	var hello js.Object
	for _, m := range d.common(rec).Members() {
		hello.Add(camel(m.Name), m.Value)
	}
	hello.Number("sampleRate", float64(s.Rate))
	mix := s.Mix
	if mix == call.StreamApart {
		mix = call.StreamMono
	}
	hello.Text("mixType", string(mix))
	if v, err := js.Parse([]byte(s.Metadata)); err == nil {
		for _, m := range v.Members {
			if _, taken := hello.Value().Get(m.Name); !taken {
				hello.Add(m.Name, m.Value)
			}
		}
	}
	return api.StreamOpening{Account: d.sid(rec.Account), Subprotocols: streamProtocols, Hello: js.Append(nil, hello.Value())}
}

// camel writes a name in camel case: "call_sid" is callSid.
func camel(name string) string {
	var b strings.Builder
	for i, part := range strings.Split(name, "_") {
		if i > 0 && part != "" {
			part = strings.ToUpper(part[:1]) + part[1:]
		}
		b.WriteString(part)
	}
	return b.String()
}
