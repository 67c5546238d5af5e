package main

import (
	"context"

	"callbox/api/hook"
	"callbox/api/vendor"
	"callbox/call"
	"callbox/call/engine"
	"callbox/storage/config"
)

// newVendors makes what speaks with speech vendors.
func (a *app) newVendors(hooks *hook.Client) *vendor.Set {
	s := vendor.New(vendor.Config{Transport: hooks.Transport(), UserAgent: "callbox/" + version, Log: a.log})
	s.Use(speechVendors(a.snap.SpeechVendors))
	return s
}

// speechVendors are the speech vendors of a configuration.
func speechVendors(list []config.SpeechVendor) []vendor.Vendor {
	var out []vendor.Vendor
	for _, v := range list {
		out = append(out, vendor.Vendor{Name: v.Name, Speaks: v.TTSURL, Hears: v.STTURL, Key: v.Key.Reveal(), Default: v.Default})
	}
	return out
}

// recogniser lets calls be heard by speech vendors.
type recogniser struct{ *vendor.Set }

var _ engine.Recogniser = recogniser{}

// Open begins to listen.
func (r recogniser) Open(ctx context.Context, h call.Hearing) (engine.Recognition, error) {
	return r.Hear(ctx, h) //nolint:wrapcheck // it says which vendor
}
