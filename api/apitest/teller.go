package apitest

import (
	"context"
	"slices"

	"callbox/api"
	"callbox/call"
)

var _ api.Teller = (*Box)(nil)

// Tell notes a request within a call and answers it with 202 Accepted.
func (b *Box) Tell(_ context.Context, account, id string, m call.SIPMessage) (call.SIPResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.takeFail(); err != nil {
		return call.SIPResponse{}, err
	}
	i, err := b.find(account, id)
	if err != nil {
		return call.SIPResponse{}, err
	}
	if b.records[i].State.Final() {
		return call.SIPResponse{}, call.ErrEnded
	}
	b.told = append(b.told, m)
	return call.SIPResponse{Status: 202, Reason: "Accepted"}, nil
}

// Told are the requests within calls, oldest first.
func (b *Box) Told() []call.SIPMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.told)
}

var _ api.Alerts = (*Box)(nil)

// AddAlert keeps an alert; call it before the box is used.
func (b *Box) AddAlert(a call.Alert) { b.alerts = slices.Insert(b.alerts, 0, a) }

// Alerts gives those of the account, newest first.
func (b *Box) Alerts(account string) []call.Alert {
	return slices.DeleteFunc(slices.Clone(b.alerts), func(a call.Alert) bool { return a.Account != account })
}
