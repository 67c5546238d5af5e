//go:build bench

package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"callbox/call"
	"callbox/storage"
)

// Figures of the measurement of the REST API.
const (
	createdCalls = 400
	createdBatch = 50
	createEvery  = 20 * time.Millisecond // 50 calls a second
	createAtOnce = 32                    // requests, when they come as fast as they can
	storedCalls  = 100_000
	listings     = 40 // of each kind
	pageSize     = 50
)

// Lines of the table.
const (
	createCPU  = "REST: CPU per Create Call (POST, INVITE, 200, ACK) at full speed, ms"
	steadyCPU  = "REST: the same at 50/s, ms"
	wholeCPU   = "REST: the same at 50/s with its end (BYE, record), ms"
	createP50  = "REST: POST to its response at 50/s p50, ms"
	createP99  = "REST: POST to its response at 50/s p99, ms"
	listNewest = "REST: list the newest 50 of 100,000 stored calls p50, ms"
	listDay    = "REST: list 50 of a day long ago of 100,000 stored calls p50, ms"
)

// rest is a client of a gateway's API.
type rest struct {
	base, account, token string
	client               http.Client
	times                []time.Duration // of the requests that made calls
	up                   []string        // calls that were left up
}

// api gives a client of s, which runs on a copy of the template.
func (l *lab) api(s *subject) (*rest, error) {
	base := regexp.MustCompile(`API +(http://\S+)`).FindStringSubmatch(s.output())
	if base == nil {
		return nil, s.failure("the gateway does not say where its API is")
	}
	return &rest{base: base[1], account: l.account, token: l.token, client: http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: createAtOnce}}}, nil
}

// do makes one request and gives the body of its answer, which must be of this
// status.
func (r *rest) do(method, path string, form url.Values, want int) ([]byte, error) {
	req, err := http.NewRequest(method, r.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(r.account, r.token)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s %s gave %s: %s", method, path, res.Status, body)
	}
	return body, err
}

// rest measures what is asked for over HTTP.
func (l *lab) rest(round int) error {
	l.tell("REST, round %d of %d: create calls", round, *rounds)
	s, err := l.gateway()
	if err != nil {
		return err
	}
	err = l.create(s)
	l.end(s)
	if err != nil {
		return err
	}
	l.tell("REST, round %d of %d: list stored calls", round, *rounds)
	if s, err = l.fullGateway(); err != nil {
		return err
	}
	defer s.stop() // its folder is used again
	return l.list(s)
}

// create measures calls that are made over HTTP and ring the callee, which
// answers. In the first half they are then on hold, because the sound of open
// calls costs more than making them; in the second half their document hangs up
// at once.
func (l *lab) create(s *subject) error {
	api, err := l.api(s)
	if err != nil {
		return err
	}
	l.callee.reset(0)
	if err := l.createBatch(api, createdBatch, documentEnd, createEvery); err != nil { // the first calls load code
		return s.failure(err.Error())
	}
	for what, every := range map[string]time.Duration{createCPU: 0, steadyCPU: createEvery} {
		var spent time.Duration
		for range createdCalls / createdBatch {
			l.callee.reset(0)
			l.callee.hold()
			before, err := s.cpu()
			if err != nil {
				return err
			}
			if err := l.createBatch(api, createdBatch, documentStay, every); err != nil {
				return s.failure(err.Error())
			}
			after, err := s.cpu()
			if err != nil {
				return err
			}
			spent += after - before
			if err := api.complete(); err != nil {
				return s.failure(err.Error())
			}
		}
		l.report.add(true, what, milliseconds(spent)/createdCalls)
	}
	api.times = nil
	l.callee.reset(0)
	before, err := s.cpu()
	if err != nil {
		return err
	}
	if err := l.createBatch(api, createdCalls, documentEnd, createEvery); err != nil {
		return s.failure(err.Error())
	}
	after, err := s.cpu()
	if err != nil {
		return err
	}
	l.report.add(true, wholeCPU, milliseconds(after-before)/createdCalls)
	l.report.add(true, createP50, milliseconds(percentile(api.times, 50)))
	l.report.add(true, createP99, milliseconds(percentile(api.times, 99)))
	return nil
}

// Documents of created calls.
const (
	documentStay = `<Response><Pause length="600"/></Response>`
	documentEnd  = `<Response><Hangup/></Response>`
)

// createBatch makes n calls, one every so often, or as fast as createAtOnce
// allows for 0, and waits until all are answered, and ended when the document
// ends them.
func (l *lab) createBatch(api *rest, n int, document string, every time.Duration) error {
	answered, ended := l.callee.count()
	var all sync.WaitGroup
	var mu sync.Mutex // guards what the requests give
	var failed error
	tick := time.NewTicker(max(every, 1))
	defer tick.Stop()
	free := make(chan struct{}, createAtOnce)
	for range n {
		if every > 0 {
			<-tick.C
		}
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			began := time.Now()
			body, err := api.do(http.MethodPost, "/Calls.json", url.Values{
				"To": {"+14155550199"}, "From": {"+14155550100"}, "Twiml": {document},
			}, http.StatusCreated)
			took := time.Since(began)
			var made struct{ Sid string }
			if err == nil {
				err = json.Unmarshal(body, &made)
			}
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
			api.times, api.up = append(api.times, took), append(api.up, made.Sid)
		})
	}
	all.Wait()
	if failed != nil {
		return failed
	}
	if document == documentEnd {
		api.up = nil
	}
	return until(20*time.Second, "every created call has been answered, and ended if it should", func() bool {
		a, e := l.callee.count()
		return a == answered+n && (document != documentEnd || e == ended+n)
	})
}

// complete ends the calls that createBatch has left up.
func (r *rest) complete() error {
	for _, sid := range r.up {
		if _, err := r.do(http.MethodPost, "/Calls/"+sid+".json", url.Values{"Status": {"completed"}}, http.StatusOK); err != nil {
			return err
		}
	}
	r.up = nil
	wait(300 * time.Millisecond) // the last record is written
	return nil
}

// fullGateway starts a gateway that remembers storedCalls calls, one a minute.
func (l *lab) fullGateway() (*subject, error) {
	if l.full == "" {
		l.full = filepath.Join(l.dir, "full", "data")
		if err := os.MkdirAll(l.full, 0o700); err != nil {
			return nil, err
		}
		if err := copyFolder(l.template, l.full); err != nil {
			return nil, err
		}
		if err := fill(l.full, l.account); err != nil {
			return nil, fmt.Errorf("fill a data folder: %w", err)
		}
	}
	return startGateway(l.binary, l.full)
}

// fill writes the records of ended calls into a data folder that nobody uses.
func fill(dir, account string) error {
	s, err := storage.Open(storage.Config{Dir: dir})
	if err != nil {
		return err
	}
	now := time.Now()
	var w storage.Write
	for i := range storedCalls {
		at := now.Add(-time.Duration(storedCalls-i) * time.Minute)
		answered, ended := at.Add(5*time.Second), at.Add(50*time.Second)
		var id [16]byte
		rand.Read(id[:]) // never fails (crypto/rand since Go 1.24)
		w.Calls = append(w.Calls, &call.Record{
			ID: fmt.Sprintf("CA%x", id), API: "twilio", Account: account, Direction: call.OutboundAPI,
			From: "+14155550100", To: fmt.Sprintf("+1415555%04d", i%10000), Line: "east", Route: "Rule everything: numbers that begin with +1.",
			State: call.Completed, Created: at, Updated: ended, Started: &at, Rang: &at, Answered: &answered, Ended: &ended,
			Cause:     &call.Cause{Q850: call.Q850Normal, Who: call.Remote, Text: "the far end hung up"},
			SIPCallID: fmt.Sprintf("%x@biloxi.example", id[:8]), Remote: "192.0.2.7:5060", Seq: 4,
		})
		if len(w.Calls) == 1000 || i == storedCalls-1 {
			if err := s.Commit(context.Background(), w); err != nil {
				return errors.Join(err, s.Close())
			}
			w = storage.Write{}
		}
	}
	return s.Close()
}

// list measures pages of the stored calls.
func (l *lab) list(s *subject) error {
	api, err := l.api(s)
	if err != nil {
		return err
	}
	middle := time.Now().Add(-storedCalls / 2 * time.Minute).UTC().Format(time.DateOnly)
	for what, query := range map[string]string{listNewest: "", listDay: "&StartTime=" + middle} {
		var times []time.Duration
		for range listings {
			began := time.Now()
			body, err := api.do(http.MethodGet, fmt.Sprintf("/Calls.json?PageSize=%d%s", pageSize, query), nil, http.StatusOK)
			if err != nil {
				return s.failure(err.Error())
			}
			times = append(times, time.Since(began))
			var page struct{ Calls []json.RawMessage }
			if err := json.Unmarshal(body, &page); err != nil || len(page.Calls) != pageSize {
				return fmt.Errorf("%s: %d calls were listed, want %d (%v)", what, len(page.Calls), pageSize, err)
			}
		}
		l.report.add(true, what, milliseconds(percentile(times, 50)))
	}
	return nil
}
