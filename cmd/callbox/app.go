package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"callbox/api"
	"callbox/api/admin"
	"callbox/api/hook"
	"callbox/api/jambonz/socket"
	"callbox/api/mailbox"
	"callbox/api/twilio"
	"callbox/api/vendor"
	"callbox/board"
	"callbox/call"
	"callbox/call/engine"
	"callbox/call/event"
	"callbox/call/lamp"
	"callbox/call/text"
	"callbox/call/toll"
	"callbox/call/trace"
	"callbox/media/clock"
	"callbox/media/rtp"
	"callbox/media/webrtc"
	"callbox/sip"
	"callbox/storage"
	"callbox/storage/config"
)

// commitDelay is how long writes wait for company under load. A Create Call
// waits for its record, and the box's budget from the request to the INVITE is
// 60 ms; a flush costs one block of the log, 4 kB.
const commitDelay = 20 * time.Millisecond

// sipPath is where browsers connect with SIP over websockets.
const sipPath = "/sip"

// drainTime is how long calls may go on after the gateway was told to stop.
const drainTime = 10 * time.Second

// appConfig is what must be known before the storage is open.
type appConfig struct {
	Data, HTTP, HTTPS, SIP, Board string // HTTPS may be empty: none
	USB                           string // file tree in which modems are looked for; empty: "/"
	Log                           *slog.Logger
	Out                           io.Writer // what people read: keys of the first boot, addresses
	Fresh                         bool      // the first account's token has just been made
}

// app is the gateway: every part, built in dependency order by newApp, started
// and stopped by run.
type app struct {
	cfg appConfig
	log *slog.Logger

	store     *storage.Store
	bus       *event.Bus
	trace     *trace.Ring
	sound     *trace.Sound
	accounts  *accounts
	dialects  dialects
	hooks     *hook.Client
	sockets   *socket.Hub
	vendors   *vendor.Set
	deliver   *hook.Deliverer
	alarms    *alarms
	journal   *journal
	files     *recordings
	keeper    *keeper
	clock     *clock.Clock
	ports     *rtp.PortPool
	identity  *webrtc.Identity // shown to browsers
	stack     *sip.Stack
	outside   *outside
	board     *board.Board
	panel     *panel
	router    *router
	tolls     *toll.Book
	inbound   *inbound
	texts     *text.House
	lamps     *lamp.Board
	mailboxes *mailboxes
	phones    *phones
	lines     *lineSet
	engine    *engine.Engine
	server    *api.Server
	control   *http.Server

	certs                      *certificates
	httpLn, httpsLn, controlLn net.Listener // httpsLn may be nil

	fresh bool // the account, or its token, is new
	ran   bool // run has been called: the stack closes its own sockets

	mu   sync.Mutex // guards snap and changes of the configuration
	snap config.Snapshot
}

// newApp opens and builds everything; nothing runs yet. On an error what was
// opened is closed again.
func newApp(ctx context.Context, cfg appConfig) (*app, error) {
	a := &app{cfg: cfg, log: cfg.Log, fresh: cfg.Fresh, bus: event.NewBus(), trace: trace.NewRing(0), sound: trace.NewSound(0), accounts: &accounts{}, router: &router{}, tolls: toll.NewBook(),
		inbound: &inbound{api: twilio.Name}, clock: clock.New(cfg.Log)}
	for _, open := range []func(context.Context) error{a.openStore, a.openHooks, a.openNetwork, a.openBoard, a.openEngine, a.openAPI} {
		if err := open(ctx); err != nil {
			a.close()
			return nil, err
		}
	}
	return a, nil
}

// openStore opens the database and, at the first boot, makes the account.
func (a *app) openStore(ctx context.Context) error {
	var err error
	a.store, err = storage.Open(storage.Config{Dir: a.cfg.Data, Logger: a.log, MaxDelay: commitDelay,
		Committed: func(n []call.Notice) { a.deliver.Offer(n) }})
	if err != nil {
		return err
	}
	if r, ok := a.store.Repaired(); ok {
		a.log.Warn("the database was damaged and has been repaired", "what", r.String())
	}
	if a.snap, err = a.store.LoadConfig(); err != nil {
		return err
	}
	if a.snap.Version > 0 {
		return nil
	}
	a.fresh = true
	a.snap.Accounts = []config.Account{firstAccount()}
	if a.snap, err = a.store.SaveConfig(ctx, a.snap); err != nil {
		return err
	}
	return nil
}

// openHooks makes what speaks to applications.
func (a *app) openHooks(context.Context) error {
	if err := a.openMailboxes(); err != nil {
		return err
	}
	var err error
	if a.phones, err = openPhones(a.store, a.log); err != nil {
		return err
	}
	a.lamps = a.newLamps()
	a.router.used = a.lamps.Use
	snap := a.snap
	a.accounts.snap.Store(&snap)
	a.inbound.snap.Store(&snap)
	a.dialects = newDialects(a.baseURL, a.accounts)
	a.hooks, err = hook.New(hook.Config{Dialects: a.dialects.all(), Accounts: a.accounts,
		UserAgent: "callbox/" + version, Log: a.log})
	if err != nil {
		return err
	}
	a.vendors = a.newVendors(a.hooks)
	a.sockets = newSockets(a.dialects.json, a.hooks, a.log)
	// The engine comes later, but before anything is delivered.
	a.deliver = hook.NewDeliverer(a.hooks, a.store, func(ctx context.Context, account, id string, ch call.Change) (call.Record, error) {
		return a.engine.Modify(ctx, account, id, ch)
	})
	a.alarms = newAlarms(a.store, time.Now, a.log)
	a.deliver.Watch(func(o api.Outgoing, err error) { a.alarms.fetchFailed(o.Account, o.Call, err) })
	a.journal = newJournal(a.store, a.deliver, a.log)
	a.files = &recordings{dir: filepath.Join(a.cfg.Data, "recordings"), store: a.store, made: make(chan struct{}, 1)}
	a.files.fresh.free = func() (int64, error) { return freeBytes(a.files.dir) }
	return os.MkdirAll(a.files.dir, 0o700)
}

// openNetwork opens the sockets of HTTP and SIP and the port range of RTP.
func (a *app) openNetwork(ctx context.Context) error {
	var err error
	if a.httpLn, err = net.Listen("tcp", a.cfg.HTTP); err != nil {
		return fmt.Errorf("listen for HTTP: %w; choose another address with --http", err)
	}
	if a.cfg.HTTPS != "" {
		if a.httpsLn, err = net.Listen("tcp", a.cfg.HTTPS); err != nil {
			return fmt.Errorf("listen for HTTPS: %w; choose another address with --https", err)
		}
	}
	if a.controlLn, err = listenControl(filepath.Join(a.cfg.Data, socketName)); err != nil {
		return err
	}
	ca, err := deviceCA(ctx, a.store, a.cfg.Data, time.Now())
	if err != nil {
		return err
	}
	a.certs = &certificates{ca: ca, names: func() []string { return boxNames(*a.accounts.snap.Load()) }, now: time.Now, log: a.log}
	if _, err := a.certs.get(); err != nil {
		return fmt.Errorf("make the TLS certificate: %w", err)
	}
	a.ports, err = rtp.NewPortPool(rtp.PoolConfig{Min: uint16(a.snap.Media.PortMin), Max: uint16(a.snap.Media.PortMax), Watch: watcher{a.sound}})
	if err != nil {
		return err
	}
	if a.identity, err = webrtc.NewIdentity(); err != nil {
		return err
	}
	tlsAddr, err := nextPort(a.cfg.SIP)
	if err != nil {
		return fmt.Errorf("--sip: %w", err)
	}
	a.stack, err = sip.New(sip.Config{UDP: []string{a.cfg.SIP}, TCP: []string{a.cfg.SIP}, TLS: []string{tlsAddr},
		TLSConfig: a.certs.config(),
		UserAgent: "callbox/" + version, Logger: a.log, Watch: a.watch,
		Events: a.eventPackages(), Elsewhere: a.rings})
	if err != nil {
		return fmt.Errorf("%w; choose another address with --sip", err)
	}
	a.outside = newOutside(a.stack, a.log)
	return nil
}

// nextPort is the address for TLS: one port above, or any when the port is 0.
func nextPort(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65534 {
		return "", fmt.Errorf("port %q is not 0 to 65534", port)
	}
	if n > 0 {
		n++
	}
	return net.JoinHostPort(host, strconv.Itoa(n)), nil
}

// listenControl opens the control socket; one that a killed process left behind
// is replaced. The store's lock has already ruled out a second gateway.
func listenControl(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("protect the control socket: %w", err)
	}
	return l, nil
}

// openEngine makes the engine and what it asks.
func (a *app) openEngine(ctx context.Context) error {
	a.lines = newLineSet(nil, a.log)
	if err := a.openTexts(); err != nil {
		return err
	}
	rooms, err := a.rooms()
	if err != nil {
		return err
	}
	a.engine, err = engine.New(engine.Config{
		Lines: a.lines, Router: a.router, Inbound: a.inbound, Transfers: a.inbound, Scheduler: a.clock, Journal: a.journal,
		Publisher: publisher{a.bus, a.sockets, a.trace, a.lamps}, Fetcher: fetcher{a.hooks, a.sockets, a.alarms}, Recogniser: recogniser{a.vendors},
		Streamer: newStreams(a.dialects, a.hooks, a.log),
		Prompts:  newPrompts(a.hooks, a.vendors, filepath.Join(a.cfg.Data, "sounds")), Files: a.files,
		Alert: a.alarms.add, Messenger: a.texts,
		NewID: a.dialects.newID, MayShow: callers{a.accounts, a.router}.MayShow,
		Ringback: a.ringback, Tones: digitTones, HoldMusic: a.holdMusic, Rooms: rooms, Tolls: a.tolls, Limits: engineLimits(a.snap.Limits), Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.lines.receiver = a.engine
	a.sockets.Attach(a.engine)
	n, err := a.journal.closeOpen(ctx, time.Now)
	if n > 0 {
		a.log.Warn("calls were up when the gateway stopped; they are closed as power lost", "calls", n)
	}
	if err != nil {
		return err
	}
	a.keeper = &keeper{store: a.store, journal: a.journal, files: a.files, now: time.Now, log: a.log,
		policy: func() config.Retention { return a.config().Retention }}
	a.keeper.left, err = a.store.OpenRecordings()
	return err
}

// openAPI assembles the HTTP side.
func (a *app) openAPI(context.Context) error {
	h := &api.Handlers{Calls: a.engine, Messages: a.texts, Recordings: a.files, Live: a.engine, Accounts: a.accounts, Lines: a.accounts, Prices: a.router, Budgets: budgets{a.tolls}, Callers: callers{a.accounts, a.router},
		Applications: applicationSettings(a), Numbers: numberSettings(a), Keys: keySettings(a), Users: userSettings(a), Setups: setupSettings(a),
		Carriers: carrierSettings(a), LineStates: lineStates{a},
		Conferences: a.engine.Rooms(), Participants: a.engine.Rooms(), Queues: queueSettings(a), QueueMembers: a.engine.Rooms(),
		CallerIDs: callerIDSettings(a), Lists: listSettings(a), Domains: domainSettings(a),
		Auth: api.NewAuth(a.accounts), Teller: a.engine, Alerts: a.alarms, Log: a.log}
	var err error
	a.server, err = api.NewServer(api.Config{Mounts: append(a.dialects.mounts(h), mailbox.Mount(h.Auth, a.mailboxes, a.log), a.console(h.Auth)), Documents: a.documents(h.Auth),
		Upgrades: []api.Upgrade{{Path: sipPath, Handler: a.stack.Upgrade}}, Log: a.log})
	if err != nil {
		return err
	}
	a.control = &http.Server{Handler: admin.NewHandler(a.engine, a.bus, gateway{a}, a.trace, a.metrics()), ReadHeaderTimeout: 10 * time.Second}
	return nil
}

// close frees what newApp opened, in reverse. It is safe on a half-built app.
func (a *app) close() {
	if a.board != nil {
		a.board.Close()
	}
	if a.stack != nil && !a.ran {
		stopped, cancel := context.WithCancel(context.Background())
		cancel()
		a.stack.Serve(stopped) //nolint:errcheck // closes the sockets of a stack that never served
	}
	if a.ports != nil {
		a.ports.Close()
	}
	for _, l := range []net.Listener{a.controlLn, a.httpsLn, a.httpLn} {
		if l != nil {
			l.Close()
		}
	}
	if a.sockets != nil {
		a.sockets.Close()
	}
	if a.vendors != nil {
		a.vendors.Close()
	}
	if a.hooks != nil {
		a.hooks.Close()
	}
	a.bus.Close()
	if a.store != nil {
		if err := a.store.Close(); err != nil {
			a.log.Error("the database could not be closed cleanly", "err", err)
		}
	}
}

// baseURL is the address at which a LAN reaches the API.
func (a *app) baseURL() string { return "http://" + lanAddress(a.httpLn.Addr()) }

// lanAddress is the address of a listener with a wildcard replaced by the
// machine's first address on a network.
func lanAddress(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return addr.String()
	}
	for _, ip := range ownAddresses()[2:] {
		if v4 := ip.To4(); v4 != nil && !ip.IsLinkLocalUnicast() {
			return net.JoinHostPort(v4.String(), strconv.Itoa(int(ap.Port())))
		}
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ap.Port())))
}
