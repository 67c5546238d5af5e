//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// restApp answers what the JSON call API asks with verbs, and remembers what it was
// told.
type restApp struct {
	*app
	mu   sync.Mutex
	told map[string][]map[string]any // by path
}

func newRestApp(t *testing.T) *restApp {
	return &restApp{app: newApp(t), told: map[string][]map[string]any{}}
}

// verbs serves a document at path and gives its URL; an empty one is an answer
// without anything in it.
func (j *restApp) verbs(path, document string) string {
	return j.handle(path, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var body map[string]any
		if err == nil {
			err = json.Unmarshal(b, &body)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		j.mu.Lock()
		j.told[path] = append(j.told[path], body)
		j.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, document)
	})
}

// last waits for something to be told at path.
func (j *restApp) last(path string) map[string]any {
	j.t.Helper()
	var got []map[string]any
	poll(j.t, "a message to "+path, func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		got = j.told[path]
		return len(got) > 0
	})
	return got[len(got)-1]
}

// setUp makes something over the JSON call API, and gives its sid.
func (g *gateway) setUp(path, body string) string {
	g.t.Helper()
	code, made := g.askJSON(http.MethodPost, path, body)
	if code != http.StatusCreated {
		g.t.Fatalf("POST %s: %d %v", path, code, made)
	}
	return made["sid"].(string)
}

// wants asks for a change over the JSON call API, and what it is answered.
func (g *gateway) wants(want int, method, path, body string) map[string]any {
	g.t.Helper()
	code, got := g.askJSON(method, path, body)
	if code != want {
		g.t.Fatalf("%s %s %s: %d %v, want %d", method, path, body, code, got, want)
	}
	return got
}

// callJSON places a call over the JSON call API.
func (g *gateway) callJSON(want int, body string, args ...any) map[string]any {
	g.t.Helper()
	return g.wants(want, http.MethodPost, "/Calls", fmt.Sprintf(body, args...))
}

// untilJSON waits for a call's status.
func (g *gateway) untilJSON(sid, status string) map[string]any {
	g.t.Helper()
	var got map[string]any
	poll(g.t, "call "+sid+" to be "+status, func() bool {
		_, got = g.askJSON(http.MethodGet, "/Calls/"+sid, "")
		return got["call_status"] == status
	})
	return got
}

// TestCarrierOverREST: a carrier with two gateways that was made over REST takes a
// call that names none, at its second gateway when the first refuses; its number
// answers calls by an application; without a way out the call fails, and an alert
// says so.
func TestCarrierOverREST(t *testing.T) {
	t.Parallel()
	a := newRestApp(t)
	g := startGateway(t, "")
	a.verbs("/talk", `[{"verb":"pause","length":0.5}]`)
	a.verbs("/in", `[{"verb":"answer"},{"verb":"pause","length":0.5}]`)
	a.verbs("/status", "")
	const body = `{"from":"+14155550122","to":{"type":"phone","number":"+14155550100"%s},"call_hook":%q,"call_status_hook":%q}`

	lost := g.callJSON(201, body, "", a.URL+"/talk", a.URL+"/status")["sid"].(string)
	g.untilJSON(lost, "failed")
	alerts := g.wants(200, http.MethodGet, "/Alerts?page=1&count=5&alert_type=no-carrier", "")
	if list := alerts["data"].([]any); len(list) != 1 || list[0].(map[string]any)["call_sid"] != lost {
		t.Errorf("alerts %v", alerts)
	}

	carrier := g.setUp("/VoipCarriers", `{"name":"Biloxi Tel","e164_leading_plus":false,"tech_prefix":"99"}`)
	first, second := freePorts(t, 1), freePorts(t, 1)
	for _, port := range []int{first, second} {
		g.setUp("/SipGateways", fmt.Sprintf(`{"voip_carrier_sid":%q,"ipv4":"127.0.0.1","port":%d,"inbound":true,"outbound":true}`, carrier, port))
	}
	busy := startSIPp(t, first, 1, recv("INVITE")+reply("503 Service Unavailable", "", "")+recv("ACK"))
	takes := startSIPp(t, second, 1, carried("To", "9914155550100@")+established+hungUp, "-rtp_echo")
	sid := g.callJSON(201, body, "", a.URL+"/talk", a.URL+"/status")["sid"].(string)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	busy.succeeds(ctx)
	takes.succeeds(ctx)
	rec := g.untilJSON(sid, "completed")
	if rec["trunk"] != "Biloxi-Tel" || !strings.Contains(fmt.Sprint(rec["warnings"]), "503") {
		t.Errorf("record %v", rec)
	}

	application := g.setUp("/Applications", fmt.Sprintf(`{"name":"desk","call_hook":%q,"call_status_hook":%q,"env_vars":{"desk":7}}`, a.URL+"/in", a.URL+"/in-status"))
	g.setUp("/PhoneNumbers", fmt.Sprintf(`{"number":"14155550100","voip_carrier_sid":%q,"application_sid":%q}`, carrier, application))
	served := invite + optional(100) + optional(180) + expect(200) + callerRequest("ACK", 1, "[branch]") + recv("BYE") + replyInDialog("200 OK", "")
	startSIPp(t, freePorts(t, 1), 1, served, g.sip).succeeds(ctx)
	in := a.last("/in")
	if in["to"] != "+14155550100" || in["direction"] != "inbound" || in["application_sid"] != application || fmt.Sprint(in["env_vars"]) != "map[desk:7]" {
		t.Errorf("the application was told %v", in)
	}

	// A call that names the application has its hooks, with their method and password.
	g.wants(204, http.MethodPut, "/Applications/"+application, fmt.Sprintf(`{"call_status_hook":{"url":%q,"method":"GET","username":"app","password":"a1p2p3"}}`, a.URL+"/guarded"))
	sid = g.callJSON(201, `{"from":"+14155550122","to":{"type":"user","name":"fxs1"},"application_sid":%q,"timeout":2}`, application)["sid"].(string)
	g.untilJSON(sid, "no-answer")
	told := a.until("/guarded", 1)
	if user, password, _ := (&http.Request{Header: told.header}).BasicAuth(); told.method != http.MethodGet || user != "app" || password != "a1p2p3" || told.form.Get("call_sid") != sid {
		t.Errorf("the application's status hook: %s %v %v", told.method, told.form, told.header)
	}
}

// TestClientOverREST: a phone registers as a client that was made over REST, is
// seen among the registered ones, is called, and steered while it talks; what its
// program sends within the call reaches the hook.
func TestClientOverREST(t *testing.T) {
	t.Parallel()
	a := newRestApp(t)
	g := startGateway(t, "")
	a.verbs("/hold", `[{"verb":"pause","length":60}]`)
	a.verbs("/status", "")
	client := g.setUp("/Clients", `{"username":"alice","password":"IWasAtSignal2018"}`)
	alice := startBaresip(t, phone{name: "alice", password: "IWasAtSignal2018", registrar: g.sip, answer: "auto"})
	if seen := g.wants(200, http.MethodGet, "/RegisteredSipUsers/alice", ""); seen["registered_status"] != "active" || !strings.Contains(fmt.Sprint(seen["contact"]), "alice") {
		t.Errorf("registered %v", seen)
	}
	key := g.wants(201, http.MethodPost, "/ApiKeys", `{"name":"laptop"}`)
	plain := g.token
	g.token = key["token"].(string)
	sid := g.callJSON(201, `{"from":"reception","to":{"type":"user","name":"alice"},"call_hook":%q,"call_status_hook":%q,"sipRequestWithinDialogHook":%q,"headers":{"X-Order":"17"}}`,
		a.URL+"/hold", a.URL+"/status", a.URL+"/told")["sid"].(string)
	alice.wait("CALL_ESTABLISHED")
	g.untilJSON(sid, "in-progress")
	for _, change := range []string{
		`{"mute_status":"mute"}`, `{"mute_status":"unmute"}`, `{"boostAudioSignal":"-6 dB"}`, `{"tag":{"a":1}}`, `{"dtmf":{"digit":"5"}}`,
		`{"record":{"action":"startCallRecording","type":"cloud","recordingID":"r1"}}`, `{"record":{"action":"stopCallRecording","recordingID":"r1"}}`,
	} {
		g.wants(202, http.MethodPut, "/Calls/"+sid, change)
	}
	prompt := speak(t, "One minute of your call is left.")
	a.wav("/left.wav", prompt)
	g.wants(202, http.MethodPost, "/Calls/"+sid, fmt.Sprintf(`{"whisper":{"verb":"play","url":%q}}`, a.URL+"/left.wav"))
	answer := g.wants(200, http.MethodPut, "/Calls/"+sid, `{"sip_request":{"method":"INFO","content_type":"text/plain","content":"hello"}}`)
	if answer["status"] == nil || answer["reason"] == nil {
		t.Errorf("the phone answered INFO with %v", answer)
	}
	g.wants(422, http.MethodPut, "/Calls/"+sid, `{"conf_mute_status":"mute"}`)
	poll(t, "the whisper", func() bool { return len(a.requests("/left.wav")) > 0 })
	g.wants(202, http.MethodPut, "/Calls/"+sid, `{"call_status":"completed"}`)
	alice.wait("CALL_CLOSED")
	g.untilJSON(sid, "completed")
	g.wants(204, http.MethodDelete, "/ApiKeys/"+key["sid"].(string), "")
	if code, _ := g.askJSON(http.MethodGet, "/Calls", ""); code != http.StatusUnauthorized {
		t.Errorf("the deleted key: %d", code)
	}
	g.token = plain
	g.wants(204, http.MethodPut, "/Clients/"+client, `{"is_active":false}`)
	gone := g.callJSON(201, `{"from":"reception","to":{"type":"user","name":"alice"},"call_hook":%q,"call_status_hook":%q}`, a.URL+"/hold", a.URL+"/status")["sid"].(string)
	g.untilJSON(gone, "failed")
	g.callJSON(400, `{"from":"reception","to":{"type":"teams","number":"+14155550100"},"call_hook":%q}`, a.URL+"/hold")
}

// TestTalkWithinCall: INFO, MESSAGE and NOTIFY that the far end sends within a call
// reach the hook; verbs in its answer take over the call, and send the same back.
func TestTalkWithinCall(t *testing.T) {
	t.Parallel()
	a := newRestApp(t)
	port := freePorts(t, 1)
	g := startGateway(t, fmt.Sprintf("trunks:\n- name: provider\n  host: 127.0.0.1\n  port: %d\n  transport: udp\n", port))
	const event = "X-Seat: 12\nEvent: seats\nSubscription-State: active\n"
	methods := []string{"INFO", "MESSAGE", "NOTIFY"}
	hears, answers, steps := "", `[`, remember+reply("200 OK", "", "sendrecv")+recv("ACK")+pause(500*time.Millisecond)
	for i, m := range methods {
		steps += strings.Replace(request(m, i+1, ""), "Content-Length: 0\n", event+"Content-Type: application/json\nContent-Length: [len]\n\n{\"seat\":\""+m+"\"}\n", 1) + expect(200)
		answers += fmt.Sprintf(`{"verb":"sip:request","method":%q,"headers":{"Event":"seats","X-Row":"7","Content-Type":"text/csv"},"body":"row,of,%[1]s","actionHook":%q},`, m, a.URL+"/answered"+m)
		hears += checks(recv(m), "Event: seats", "X-Row: 7", "Content-Type: text/csv", "row,of,"+m) + replyInDialog("202 Accepted", "")
		a.verbs("/answered"+m, "")
	}
	a.verbs("/hold", `[{"verb":"pause","length":60}]`)
	a.verbs("/status", "")
	told := make(chan map[string]any, 2*len(methods))
	a.handle("/told", func(w http.ResponseWriter, r *http.Request) {
		var m map[string]any
		_ = json.NewDecoder(r.Body).Decode(&m)
		w.Header().Set("Content-Type", "application/json")
		if m["sip_method"] == methods[len(methods)-1] {
			fmt.Fprint(w, answers+`{"verb":"hangup"}]`)
		}
		told <- m
	})
	s := startSIPp(t, port, 1, steps+hears+recv("BYE")+replyInDialog("200 OK", ""), "-rtp_echo")
	sid := g.callJSON(201, `{"from":"+14155550122","to":{"type":"phone","number":"+14155550100","trunk":"provider"},"call_hook":%q,"call_status_hook":%q,"sipRequestWithinDialogHook":%q}`,
		a.URL+"/hold", a.URL+"/status", a.URL+"/told")["sid"].(string)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.succeeds(ctx)
	g.untilJSON(sid, "completed")
	seen := map[string]bool{}
	poll(t, "the hook is told of all", func() bool { return len(told) >= len(methods) })
	for range methods {
		m := <-told
		method := fmt.Sprint(m["sip_method"])
		seen[method] = true
		if !strings.Contains(fmt.Sprint(m["sip_body"]), `{"seat":"`+method+`"}`) || m["call_sid"] != sid ||
			!strings.Contains(fmt.Sprint(m["sip_headers"]), "x-seat:12") {
			t.Errorf("the hook was told %v", m)
		}
	}
	for _, m := range methods {
		if got := a.last("/answered" + m); !seen[m] || got["result"] != "success" || got["sip_status"] != 202.0 {
			t.Errorf("%s: told %v, answered %v", m, seen, got)
		}
	}
}
