// An application made with the vendor's builder. It verifies every request with
// the vendor's validators and prints it as a line of JSON: {path, query, body,
// errors}. The first line is its address.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { vendor, VoiceResponse, signatureHeader } from './vendors.mjs';

const { TOKEN, PROMPT, OTHER, CERT, USERINFO = '' } = process.env;

const response = (f) => () => {
  const r = new VoiceResponse();
  f(r);
  return r.toString();
};
const documents = {
  '/hold': response((r) => r.pause({ length: 600 })),
  '/short': response((r) => r.pause({ length: 1 })),
  '/play': response((r) => r.play(PROMPT)),
  '/voice': response((r) => {
    const g = r.gather({ input: 'dtmf', numDigits: 4, timeout: 20, action: '/digits?from=gather&empty=', method: 'POST' });
    g.play({ loop: 1 }, PROMPT);
    r.hangup();
  }),
  '/digits': response((r) => {
    r.play({ digits: '59#' });
    r.record({ maxLength: 3, playBeep: false, timeout: 0, finishOnKey: '9', trim: 'do-not-trim', action: '/recorded', method: 'GET',
      recordingStatusCallback: '/recording', recordingStatusCallbackEvent: 'in-progress completed' });
  }),
  '/recorded': response((r) => {
    const d = r.dial({ action: '/dialled', timeout: 20, answerOnBridge: true, callerId: '+14155550100', timeLimit: 600 });
    d.client({ url: '/whisper', statusCallback: '/child', statusCallbackEvent: 'initiated ringing answered completed' }, OTHER);
  }),
  '/whisper': response((r) => r.play(PROMPT)),
  '/dialled': response((r) => {
    r.redirect({ method: 'GET' }, '/bye?a=1&b=%26');
  }),
  '/bye': response((r) => {
    r.pause({ length: 1 });
    r.hangup();
  }),
};

// form is a form as Express's parser gives it: repeated names are an array.
const form = (text) => {
  const out = {};
  for (const [k, v] of new URLSearchParams(text)) {
    out[k] = k in out ? [].concat(out[k], v) : v;
  }
  return out;
};

const failures = (req, base) => {
  const out = [];
  const url = base.replace('://', `://${USERINFO}`) + req.url;
  const fromExpress = { ...req, protocol: url.split(':')[0], headers: { host: USERINFO + req.headers.host }, originalUrl: req.url, header: (n) => req.headers[n.toLowerCase()] };
  if (!vendor.validateRequest(TOKEN, req.headers[signatureHeader.toLowerCase()], url, req.body)) out.push(`validateRequest refuses ${url}`);
  if (!vendor.validateExpressRequest(fromExpress, TOKEN)) out.push('validateExpressRequest refuses it');
  return out;
};

let base;
const serve = (req, res) => {
  const chunks = [];
  req.on('data', (c) => chunks.push(c));
  req.on('end', () => {
    const url = new URL(req.url, 'http://app');
    req.body = req.method === 'POST' ? form(Buffer.concat(chunks).toString()) : {};
    const body = { ...form(url.searchParams), ...req.body };
    const errors = failures(req, base);
    if (USERINFO && req.headers.authorization !== `Basic ${btoa(decodeURIComponent(USERINFO.slice(0, -1)))}`) errors.push('no password');
    console.log(JSON.stringify({ path: url.pathname, query: url.search, body, errors }));
    const make = documents[url.pathname];
    if (!make) {
      res.writeHead(204).end();
      return;
    }
    res.writeHead(200, { 'Content-Type': 'text/xml' }).end(make());
  });
};
const server = CERT
  ? https.createServer({ cert: fs.readFileSync(CERT), key: fs.readFileSync(CERT) }, serve) : http.createServer(serve);
server.listen(0, '127.0.0.1', () => {
  base = `${CERT ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  console.log(base);
});
