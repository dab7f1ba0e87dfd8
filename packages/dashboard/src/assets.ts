import { readFileSync } from 'node:fs';

export interface Asset {
  readonly type: string;
  readonly body: string;
}

const types = {
  'index.html': 'text/html; charset=utf-8',
  'style.css': 'text/css; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'draw.js': 'text/javascript; charset=utf-8',
};

/** The page and its parts, by the last part of their path; the page's own is empty. */
export function readAssets(token: string): ReadonlyMap<string, Asset> {
  return new Map(
    Object.entries(types).map(([file, type]) => {
      const body = readFileSync(new URL(`../assets/${file}`, import.meta.url), 'utf8');
      return [file === 'index.html' ? '' : file, { type, body: body.replace('{{token}}', token) }];
    }),
  );
}
