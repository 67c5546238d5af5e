package main

import (
	"net/http"
	"sync"

	"callbox/api"
	"callbox/api/console"
	"callbox/api/mailbox"
	"callbox/api/openapi"
)

// openapiPath is where the description of the HTTP interface is served.
const openapiPath = "/api/openapi.json"

// documents are the pages of the API that belong to no dialect.
func (a *app) documents(auth *api.Auth) []api.Document {
	describe := sync.OnceValue(func() []byte { // at the first request: a start must not wait for it
		text, err := openapi.Document(description(), a.dialects.describe())
		if err != nil {
			a.log.Error("the description of the API cannot be written", "err", err)
		}
		return text
	})
	return []api.Document{
		{Path: "/" + caFile, Type: "application/x-x509-ca-cert", Body: func() []byte { return caText(a.certs.ca) }},
		{Path: openapiPath, Type: "application/json", Body: describe, Auth: auth},
		{Path: "/{$}", Type: "text/html; charset=utf-8", Body: toConsole, Auth: auth},
	}
}

// toConsole leads who opens the box's bare address to its page.
func toConsole() []byte {
	return []byte(`<!doctype html><title>Callbox</title><meta http-equiv="refresh" content="0;url=` + console.Prefix + `">`)
}

// console is the page for people.
func (a *app) console(auth *api.Auth) api.Mount {
	return console.Mount(console.Config{Auth: auth, Calls: a.engine, Version: version, Lines: func() []console.Line {
		list := []console.Line{}
		for _, l := range a.lines.list() {
			s := l.Status
			list = append(list, console.Line{ID: l.ID, Kind: l.Kind, Ready: s.Ready, Busy: s.Busy, Max: s.Max, Text: s.Text})
		}
		return list
	}})
}

// description is the head of the description.
func description() openapi.Info {
	return openapi.Info{
		Title: "Callbox", Version: version, Server: "/",
		Says: "A branch-office telephone gateway that speaks the call APIs of four services.",
		Tags: []openapi.Tag{
			{Name: "twilio", Says: "Forms and JSON, for accounts named AC…. Without a suffix, or with .xml, the answers are XML."},
			{Name: "signalwire", Says: "Forms and JSON, for accounts named by their project id; at /2010-04-01 that tells them from those of twilio."},
			{Name: "restcomm", Says: "Forms and JSON. Without a suffix, or with .xml, the answers are XML."},
			{Name: "jambonz", Says: "JSON, with bearer keys."},
			{Name: "box", Says: "What belongs to no call API."},
		},
	}
}

// describe tells what everything at the HTTP address of the box does.
func (d dialects) describe() []api.Operation {
	text := func(path, summary, kind, auth string) api.Operation {
		return api.Operation{API: "box", Method: http.MethodGet, Path: path, Summary: summary, Auth: auth,
			Answers: []api.Answer{{Status: http.StatusOK, Type: kind}, {Says: "What went wrong", Type: "text/plain"}}}
	}
	list := []api.Operation{
		text("/healthz", "Tell whether the box takes calls", "text/plain", api.AuthNone),
		text("/"+caFile, "Get the certificate of the box's own CA", "application/x-x509-ca-cert", api.AuthNone),
		text(openapiPath, "Get this description", "application/json", api.AuthBasic),
	}
	list = append(list, mailbox.Describe()...)
	for _, x := range d.family {
		list = append(list, x.Describe()...)
	}
	return append(list, d.json.Describe()...)
}
