package main

import (
	"callbox/api"
	"callbox/api/jambonz"
	"callbox/api/laml"
	"callbox/api/restcomm"
	"callbox/api/signalwire"
	"callbox/api/twilio"
)

// dialects are the call APIs of the box, by name.
type dialects struct {
	family []*laml.Dialect // those of forms and XML, in the order in which they are asked who serves a path
	json   *jambonz.Dialect
	byName map[string]api.Dialect
}

// newDialects makes them all. baseURL is the address at which others reach the box.
func newDialects(baseURL func() string, accounts *accounts) dialects {
	c := laml.Config{BaseURL: baseURL, Accounts: accounts}
	d := dialects{family: []*laml.Dialect{twilio.New(c), signalwire.New(c), restcomm.New(c)},
		json: jambonz.New(jambonz.Config{BaseURL: baseURL, Accounts: accounts}), byName: map[string]api.Dialect{}}
	d.byName[d.json.Name()] = d.json
	for _, x := range d.family {
		d.byName[x.Name()] = x
	}
	return d
}

// all lists the dialects.
func (d dialects) all() []api.Dialect {
	var list []api.Dialect
	for _, x := range d.byName {
		list = append(list, x)
	}
	return list
}

// of is the dialect with this name; calls that are nobody's are Twilio's.
func (d dialects) of(name string) api.Dialect {
	if x, ok := d.byName[name]; ok {
		return x
	}
	return d.byName[twilio.Name]
}

// newID makes an id in the form of a dialect.
func (d dialects) newID(name, what string) string { return d.of(name).NewID(api.IDKind(what)) }

// mounts is the address space of all call APIs.
func (d dialects) mounts(h *api.Handlers) []api.Mount {
	list := []api.Mount{d.json.Mount(h)}
	for _, x := range d.family {
		list = append(list, x.Mounts(h)...)
	}
	return list
}
