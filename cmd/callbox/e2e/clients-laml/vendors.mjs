// The vendors' clients, pointed at the box as the environment says, and nothing
// else about them changed.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { VENDOR, BASE } = process.env;

// signatureHeader is where the vendor's validator looks.
export const signatureHeader = VENDOR === 'twilio' ? 'X-Twilio-Signature' : 'X-SignalWire-Signature';

// vendor is the package: its builders and validators.
export const vendor = VENDOR === 'twilio' ? require('twilio') : require('@signalwire/compatibility-api').RestClient;

// VoiceResponse is its builder of documents.
export const VoiceResponse = VENDOR === 'twilio' ? vendor.twiml.VoiceResponse : vendor.LaML.VoiceResponse;

// connect makes the REST client. SignalWire's forces https unless it is told
// another address afterwards.
export const connect = (account, token) => {
  if (VENDOR === 'twilio') {
    const client = vendor(account, token);
    client.api.baseUrl = BASE;
    return client;
  }
  const client = vendor(account, token, { signalwireSpaceUrl: new URL(BASE).host });
  if (BASE.startsWith('http:')) client.api.baseUrl = BASE;
  return client;
};
