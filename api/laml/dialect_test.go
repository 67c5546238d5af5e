package laml_test

import (
	"callbox/api/laml"
	"callbox/api/twilio"
)

// dialect is the family's reference member, at a fixed address.
func dialect() *laml.Dialect {
	return twilio.New(laml.Config{BaseURL: func() string { return "http://box.lan:8080" }})
}
