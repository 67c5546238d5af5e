package config

import (
	"errors"
	"strings"
	"testing"
)

// officeCA is a CA whose key nobody has.
const officeCA = `-----BEGIN CERTIFICATE-----
MIIBCDCBu6ADAgECAgEBMAUGAytlcDAUMRIwEAYDVQQDEwlCaWxveGkgQ0EwHhcN
MjYwMTAxMDAwMDAwWhcNNDYwMTAxMDAwMDAwWjAUMRIwEAYDVQQDEwlCaWxveGkg
Q0EwKjAFBgMrZXADIQBd2bQhHV1cthRMjykMk2fU1vYMXO1yHS02RYsh/201oaMy
MDAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUhW3DktULTTPKxTTsYYt6csV1
TGkwBQYDK2VwA0EAJT8NFi7LIfzB9j3/TCaxEr0igh46XxN7rnb18MXpQ2rah3QI
P+38yQkm63zvt5S+An+9Hiqe2NSNkgU3U1iNDg==
-----END CERTIFICATE-----
`

func TestWebhooks(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0f", 32)
	for name, tc := range map[string]struct {
		w    Believed
		path string // of the problem; empty: there is none
	}{
		"both":      {Believed{Trust: []Authority{{"a", officeCA}, {"b", "Biloxi:\n" + officeCA + officeCA}}, Pins: []Pin{{"app.lan", good}, {"192.0.2.1:8443", good}, {"[2001:db8::1]:8443", good}}}, ""},
		"no name":   {Believed{Trust: []Authority{{"", officeCA}}}, "webhooks.trust[0].name"},
		"same name": {Believed{Trust: []Authority{{"a", officeCA}, {"a", officeCA}}}, "webhooks.trust[1].name"},
		"no PEM":    {Believed{Trust: []Authority{{"a", "x"}}}, "webhooks.trust[0].certificate"},
		"a key":     {Believed{Trust: []Authority{{"a", officeCA + "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"}}}, "webhooks.trust[0].certificate"},
		"broken":    {Believed{Trust: []Authority{{"a", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"}}}, "webhooks.trust[0].certificate"},
		"no host":   {Believed{Pins: []Pin{{"", good}}}, "webhooks.pins[0].host"},
		"same host": {Believed{Pins: []Pin{{"app.lan", good}, {"App.lan", good}}}, "webhooks.pins[1].host"},
		"short":     {Believed{Pins: []Pin{{"app.lan", good[2:]}}}, "webhooks.pins[0].sha256"},
		"no hex":    {Believed{Pins: []Pin{{"app.lan", "zz" + good[2:]}}}, "webhooks.pins[0].sha256"},
	} {
		s := Snapshot{Webhooks: tc.w}.WithDefaults()
		err := s.Validate()
		var invalid *InvalidError
		switch {
		case tc.path == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.path != "" && (!errors.As(err, &invalid) || len(invalid.Problems) != 1 || invalid.Problems[0].Field != tc.path):
			t.Errorf("%s: %v, want a problem of %s", name, err, tc.path)
		}
		err = Snapshot{SIPTLS: tc.w}.WithDefaults().Validate()
		if path := strings.Replace(tc.path, "webhooks.", "sip_tls.", 1); (err == nil) != (path == "") || err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%s of trunks: %v, want a problem of %q", name, err, path)
		}
	}
	if d := strings.Join(Diff(Snapshot{Webhooks: Believed{Trust: []Authority{{"a", "x"}}}}, Snapshot{Webhooks: Believed{Trust: []Authority{{"a", officeCA}}}}), "\n"); d != "webhooks.trust[a].certificate: changed" {
		t.Errorf("the difference is told as %q", d)
	}
}
