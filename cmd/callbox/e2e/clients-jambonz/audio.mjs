// An application of the vendor's library that takes the sound of calls over a
// websocket, at /audio. What it learns is printed as a line of JSON: {path, query,
// body, errors}, with the kind of event as the path; the sound is written to the
// file in OUT when the connection ends. The first line is the address. Lines that
// come in, a command and its argument, steer the stream.
import fs from 'node:fs';
import http from 'node:http';
import readline from 'node:readline';
import { createEndpoint } from '@jambonz/sdk/websocket';

const { OUT } = process.env;
const quiet = { info: () => {}, debug: () => {}, error: () => {} };
const tell = (path, body, query = '') => console.log(JSON.stringify({ path, query, body, errors: [] }));

const server = http.createServer();
const audio = createEndpoint({ server, logger: quiet }).audio({ path: '/audio' });
let stream = null;

audio.on('connection', (s, req) => {
  stream = s;
  const sound = [];
  tell('connection', { ...s.metadata, protocol: s.ws.protocol }, req.headers.authorization ?? '');
  s.on('audio', (pcm) => sound.push(pcm));
  for (const type of ['dtmf', 'mark', 'playDone']) s.on(type, (data) => tell(type, data));
  s.on('close', (code) => {
    fs.writeFileSync(OUT, Buffer.concat(sound));
    tell('close', { code });
  });
});

const orders = {
  stream: (file) => {
    const pcm = fs.readFileSync(file);
    for (let at = 0; at < pcm.length; at += 8000) stream.sendAudio(pcm.subarray(at, at + 8000));
  },
  play: (file) => stream.playAudio(fs.readFileSync(file).toString('base64'), { audioContentType: 'raw', sampleRate: 8000, id: file }),
  queue: (file) => stream.playAudio(fs.readFileSync(file).toString('base64'), { audioContentType: 'wav', id: file, queuePlay: true }),
  mark: (name) => stream.sendMark(name),
  clear: () => stream.clearMarks(),
  kill: () => stream.killAudio(),
  disconnect: () => stream.disconnect(),
  close: () => stream.close(),
};
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, argument] = line.split(' ');
  orders[command](argument);
});

server.listen(0, '127.0.0.1', () => console.log(`ws://127.0.0.1:${server.address().port}/audio`));
