import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ServerIdentity {
  key: string;
  cert: string;
  /** PEM file of the certificate, which is its own authority. */
  caFile: string;
}

/** A key and a certificate for 127.0.0.1 and localhost, in the folder. Needs `openssl`. */
export function selfSigned(folder: string): ServerIdentity {
  const keyFile = join(folder, 'server-key.pem');
  const caFile = join(folder, 'server-cert.pem');
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...how, '-subj', '/CN=localhost', '-addext', names, '-keyout', keyFile, '-out', caFile],
    { stdio: 'pipe' },
  );
  return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(caFile, 'utf8'), caFile };
}
