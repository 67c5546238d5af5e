package api

import "callbox/call"

// InviteParticipant places the call of req, whose script brings it into the
// conference of this name, and gives its part there. A repeated request, as of
// [Handlers.CreateCall], answers with the first call's.
func (h *Handlers) InviteParticipant(q *Request, req call.Request, conference string, p call.Participant, status call.StatusHook) (call.Participant, error) {
	key, err := idempotencyKey(q.Header)
	if err != nil {
		return p, err
	}
	req.Account, req.Idempotency = q.Account.ID, key
	if err := h.resolve(q.Account.ID, &req); err != nil {
		return p, err
	}
	ctx, cancel := ActContext(q)
	defer cancel()
	c, err := h.Participants.Invite(ctx, q.Account.ID, conference, p, status)
	if err != nil {
		return p, err
	}
	rec, replayed, err := h.Calls.Create(ctx, req)
	if err != nil || replayed {
		h.Participants.CallEnded(call.Record{ID: p.Call, API: p.API, Account: q.Account.ID, State: call.Canceled})
	}
	if err != nil {
		return p, err
	}
	p.Call, p.Conference, p.Account, p.Created, p.Updated = rec.ID, c.ID, q.Account.ID, rec.Created, rec.Updated
	if now, err := h.Participants.Participant(q.Account.ID, c.ID, rec.ID); err == nil {
		p = now
	}
	return p, nil
}
