// Two applications over websockets, one for each of the vendor's libraries: /sdk
// and /old. What they are told is printed as a line of JSON: {path, query, body,
// errors}, with the type of the message or the name of its hook as the path. The
// first line is the address. Lines that come in steer the call of /sdk.
import http from 'node:http';
import readline from 'node:readline';
import { createRequire } from 'node:module';
import { createEndpoint } from '@jambonz/sdk/websocket';

const require = createRequire(import.meta.url);
const { WebhookResponse, WsRouter, WsSession, handleProtocols } = require('@jambonz/node-client');
const { WebSocketServer } = require('ws');
const { SECRET, PROMPT, FAREWELL, OTHER } = process.env;
const quiet = { info: () => {}, debug: () => {}, error: () => {} };
const tell = (path, body, query = '', errors = []) => console.log(JSON.stringify({ path, query, body, errors }));

// The new library.
const server = http.createServer();
const makeService = createEndpoint({ server, logger: quiet });
const sdk = makeService({ path: '/sdk' });
const calls = { now: null };

const verified = (req) => {
  const r = { url: req.url, body: {}, get: (name) => req.headers[name.toLowerCase()] };
  try {
    WebhookResponse.verifyJambonzSignature(SECRET)(r, {}, (e) => { if (e) throw e; });
    return [];
  } catch (e) {
    return [e.message];
  }
};

sdk.on('session:new', (session, path, req) => {
  calls.now = session;
  tell('session:new', session.data, req.headers.authorization ?? '', verified(req));
  for (const type of ['call:status', 'verb:status', 'jambonz:error', 'tts:stream_open', 'tts:user_interruption']) session.on(type, (data) => tell(type, data));
  session.on('/digits', (data) => {
    tell('/digits', data);
    session.tag({ data: { step: 'digits' } }).dtmf({ dtmf: '59', duration: 200 }).reply();
  });
  session.on('/later', (data) => {
    tell('/later', data);
    session.reply({ execImmediate: false });
  });
  session.on('/confirm', (data) => {
    tell('/confirm', data);
    session.play({ url: PROMPT }).reply();
  });
  session.on('/barged', (data) => {
    tell('/barged', data);
    session.tag({ data: { step: 'barged' } }).reply();
  });
  session.on('/dialled', (data) => {
    tell('/dialled', data);
    session.play({ url: FAREWELL }).hangup().reply();
  });
  session.on('close', (code) => tell('close', { code }));
  session.notifyEvents().gather({ actionHook: '/digits', numDigits: 4, timeout: 20, play: { url: PROMPT } }).send();
});

const orders = {
  play: (s) => s.play({ url: FAREWELL }).send(),
  hold: (s) => s.pause({ length: 600 }).send(),
  queue: (s) => s.play({ url: FAREWELL }).hangup().send({ execImmediate: false }),
  hangup: (s) => s.hangup().send(),
  drop: (s) => s.ws.terminate(),
  leave: (s) => s.ws.close(1000),
  tag: (s) => s.injectTag({ order: 18 }),
  status: (s) => s.injectCommand('call:status', { call_status: 'completed' }),
  odd: (s) => s.sendCommand('fly', { high: true }),
  bad: (s) => s.ws.send(JSON.stringify({ type: 'command', command: 'redirect', data: [{ verb: 'fly' }] })),
  tokens: async (s) => {
    s.injectCommand('config', { ttsStream: { enable: true }, synthesizer: { vendor: 'parrot', language: 'en-US', voice: 'polly' } });
    for (const text of ['Your par', 'cel has arrived this morning. The st', 'ore is open until six in the evening', '.']) await s.sendTtsTokens(text);
    s.flushTtsTokens();
    tell('tokens', {});
  },
  monologue: async (s) => {
    s.injectCommand('config', { ttsStream: { enable: true }, synthesizer: { vendor: 'parrot', language: 'en-US', voice: 'polly' } });
    for (const text of ['Number one, the kettle is on. ', 'Number two, the cups are in the cupboard. ', 'Number three, nobody wants any sugar.']) await s.sendTtsTokens(text);
    s.flushTtsTokens();
    tell('monologue', {});
  },
  clear: (s) => s.clearTtsTokens(),
  barge: (s) => s.injectCommand('config', { bargeIn: { enable: true, input: ['digits'], numDigits: 1, actionHook: '/barged' } }),
  dial: (s) => s.dial({ actionHook: '/dialled', confirmHook: '/confirm', timeout: 20, target: [{ type: 'user', name: OTHER }] }).send(),
};
readline.createInterface({ input: process.stdin }).on('line', (line) => orders[line](calls.now));

// The old library, on a server of its own.
const old = http.createServer();
const router = new WsRouter();
router.use('/old', (ws) => {
  ws.on('session:new', ({ msgid, call_sid, payload }) => {
    tell('old session:new', { ...payload, sid: call_sid });
    ws.ack(msgid, new WebhookResponse().gather({ actionHook: '/old-digits', numDigits: 2, timeout: 20, play: { url: PROMPT } }));
  });
  ws.on('verb:hook', ({ msgid, hook, payload }) => {
    tell('old ' + hook, payload);
    ws.ack(msgid, new WebhookResponse().play({ url: FAREWELL }));
    ws.sendCommand('redirect', new WebhookResponse().hangup(), true);
  });
  ws.on('call:status', ({ payload }) => tell('old call:status', payload));
  ws.on('close', (code) => tell('old close', { code }));
});
const wss = new WebSocketServer({ server: old, handleProtocols });
wss.on('connection', (ws, req) => new WsSession({ logger: quiet, router, ws, req }));

server.listen(0, '127.0.0.1', () => old.listen(0, '127.0.0.1', () =>
  console.log(`ws://127.0.0.1:${server.address().port} ws://127.0.0.1:${old.address().port}`)));
