import { hash } from 'node:crypto';

/** As 40 hexadecimal digits: the name that Redis gives a script. */
export function sha1(text: string): string {
  return hash('sha1', text, 'hex');
}

/** 22 characters: 132 bits of SHA-256. */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
