// A telephone in a page: JsSIP as its makers show it. What it hears is kept as
// 48 kHz samples; the test steers it by the functions below.
'use strict';

const log = []; // what happened, in order
const heard = []; // Float32Array blocks at 48 kHz
let ua = null;
let session = null;
let ears = null;

const options = {
  mediaConstraints: { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false }, video: false },
};

function listen(stream) {
  if (ears) ears.close(); // of an earlier call, or before a hold
  document.getElementById('ear').srcObject = stream; // without it Chromium feeds no WebAudio
  ears = new AudioContext({ sampleRate: 48000 });
  const source = ears.createMediaStreamSource(stream);
  const tap = ears.createScriptProcessor(4096, 1, 1);
  tap.onaudioprocess = (e) => heard.push(new Float32Array(e.inputBuffer.getChannelData(0)));
  source.connect(tap);
  tap.connect(ears.destination);
}

function follow(s) {
  session = s;
  heard.length = 0;
  s.on('peerconnection', (e) => watch(e.peerconnection));
  if (s.connection) watch(s.connection);
  for (const name of ['progress', 'accepted', 'confirmed']) s.on(name, () => log.push(name));
  for (const name of ['ended', 'failed']) s.on(name, (e) => log.push(`${name} ${e.originator} ${e.cause}`));
  for (const name of ['hold', 'unhold']) s.on(name, (e) => log.push(`${name} ${e.originator}`));
}

function watch(pc) {
  pc.addEventListener('track', (e) => listen(e.streams[0]));
  pc.addEventListener('connectionstatechange', () => log.push(`media ${pc.connectionState}`));
}

function start(url, user, password, answer) {
  ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(url)],
    uri: `sip:${user}@callbox.local`,
    password,
    register_expires: 120,
  });
  for (const name of ['connected', 'disconnected', 'registered', 'unregistered', 'registrationFailed']) ua.on(name, () => log.push(name));
  ua.on('newRTCSession', (e) => {
    follow(e.session);
    if (e.originator !== 'remote') return;
    log.push(`ringing ${e.request.from.uri.user}`);
    if (answer) e.session.answer(options);
  });
  ua.start();
}

const call = (who) => { ua.call(`sip:${who}@callbox.local`, options); };
const drop = () => { ua.transport.socket._ws.close(); }; // as a network that fails
const hangup = () => session.terminate();
const hold = () => new Promise((done) => { session.hold({}, done); });
const unhold = () => new Promise((done) => { session.unhold({}, done); });
const press = (digits) => session.sendDTMF(digits, { transportType: 'RFC2833', duration: 120, interToneGap: 120 });

// recording gives what was heard as base64 of 16-bit samples.
function recording() {
  const n = heard.reduce((sum, b) => sum + b.length, 0);
  const out = new Int16Array(n);
  let at = 0;
  for (const b of heard) for (const v of b) out[at++] = Math.max(-32768, Math.min(32767, Math.round(v * 32768)));
  const bytes = new Uint8Array(out.buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
