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
