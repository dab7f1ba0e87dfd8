import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { Command } from './command.ts';

const command = new Command();
const openssl = spawnSync('openssl', ['version']).status === 0;
const hint = 'openssl is not on the PATH';
if (!openssl && process.env.CI === 'true') throw new Error(hint);

/** A key and a certificate for it, signed by itself. */
function certificate(name: string): { readonly cert: string; readonly key: string } {
  const file = (ending: string): string => join(command.folder, `${name}.${ending}`);
  const { status, stderr } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', file('key'), '-out', file('cert')],
  ]);
  if (status !== 0) throw new Error(String(stderr));
  return { cert: readFileSync(file('cert'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
}

/** As one writes it: the PEM files stand beside the configuration. */
const configuration = (cert: string, key: string): string => `
  import { readFileSync } from 'node:fs';
  const file = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
  export default {
    listen: { host: '127.0.0.1', port: 0, tls: { cert: file('./${cert}'), key: file('./${key}') } },
    upstreams: {},
    routes: [{ match: {}, respond: { status: 200, body: 'over TLS' } }],
  };
`;

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly protocol: string | null;
  readonly who: string;
}

/** One request over a connection of its own; `ca` is whom the client trusts. */
function get(url: string, ca: string): Promise<Seen> {
  return new Promise((resolve, reject) => {
    // Node's own client offers HTTP/1.1 alone.
    const offered = { ca, agent: false as const, ALPNProtocols: ['h2', 'http/1.1'] };
    const req = request(url, offered, (res) => {
      const socket = res.socket as TLSSocket;
      const who = String(socket.getPeerCertificate().subject.CN);
      let body = '';
      res.on('data', (chunk) => (body += chunk));
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, body, protocol: socket.alpnProtocol || null, who }),
      );
    });
    req.on('error', reject).end();
  });
}

describe.skipIf(!openssl)(`the command weir over TLS${openssl ? '' : ` (${hint})`}`, () => {
  test('shows its certificate, speaks HTTP/1.1, and nothing in clear', async () => {
    const { cert } = certificate('one');
    const { cert: other } = certificate('other');
    const { says } = command.run([command.write('tls.mjs', configuration('one.cert', 'one.key'))]);
    const [, url = ''] = await says(/listens on (https:\S+)/);
    expect(await get(url, cert)).toEqual({ status: 200, body: 'over TLS', protocol: 'http/1.1', who: 'one' });
    await expect(get(url, other)).rejects.toThrow(/self-signed certificate/);
    await expect(fetch(url.replace('https', 'http'))).rejects.toThrow();
  });

  test('shows a new certificate after SIGHUP, and keeps connections that it has', async () => {
    const { cert: before } = certificate('before');
    const { cert: after } = certificate('after');
    const file = command.write('renew.mjs', configuration('before.cert', 'before.key'));
    const { child, says } = command.run([file]);
    const [, url = ''] = await says(/listens on (https:\S+)/);
    const { hostname: host, port } = new URL(url);
    const kept = connect({ host, port: Number(port), ca: before });
    await new Promise<void>((resolve) => kept.once('secureConnect', resolve));
    expect((await get(url, before)).who).toBe('before');
    command.write('renew.mjs', configuration('after.cert', 'after.key'));
    child.kill('SIGHUP');
    await says(/reloaded/);
    expect((await get(url, after)).who).toBe('after');
    const answer = new Promise<string>((resolve) => kept.once('data', (chunk) => resolve(String(chunk))));
    kept.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
    kept.destroy();
  });

  test('refuses a certificate that is none or has another key, and keeps the present one', async () => {
    const { cert } = certificate('good');
    certificate('bad');
    command.write('broken.cert', 'nothing');
    const broken = command.write('broken.mjs', configuration('broken.cert', 'good.key'));
    const [code, said] = await command.run([broken, '--check']).ended();
    expect(code).toBe(1);
    expect(said).toMatch(/listen\.tls: is no certificate with its key/);
    const file = command.write('good.mjs', configuration('good.cert', 'good.key'));
    const { child, says } = command.run([file]);
    const [, url = ''] = await says(/listens on (https:\S+)/);
    command.write('good.mjs', configuration('good.cert', 'bad.key'));
    child.kill('SIGHUP');
    await says(/not reloaded, the present configuration stays\n.*\n.*listen\.tls/);
    expect((await get(url, cert)).who).toBe('good');
  });
});
