import { duration, type Policy } from '@weir/core';
import type { RouteConfig } from './config.ts';

/** Answers preflights, and tells browsers what a page of another origin may read (Fetch standard, 3.2). */
export function corsPolicy(config: NonNullable<RouteConfig['cors']>): Policy {
  const { origins, credentials = false, expose = [], headers = [] } = config;
  const methods = config.methods ?? ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'];
  const maxAge = String(Math.floor(duration((config.maxAge ?? '10m') as never, 'cors.maxAge') / 1000));
  const allowed = origins === '*' ? undefined : new Set(origins);
  return {
    name: 'cors',
    enter(x) {
      const origin = x.header('origin');
      if (allowed !== undefined) x.appendHeader('vary', 'Origin');
      if (origin === undefined || allowed?.has(origin) === false) return undefined;
      const common = ['access-control-allow-origin', allowed === undefined ? '*' : origin];
      if (credentials) common.push('access-control-allow-credentials', 'true');
      if (x.method === 'OPTIONS' && x.header('access-control-request-method') !== undefined) {
        const asked = x.header('access-control-request-headers');
        const may = headers.length > 0 ? headers.join(', ') : asked;
        return {
          status: 204,
          kind: 'ok',
          headers: [
            ...common,
            ...['access-control-allow-methods', methods.join(', '), 'access-control-max-age', maxAge],
            ...(may === undefined ? [] : ['access-control-allow-headers', may]),
          ],
        };
      }
      if (expose.length > 0) common.push('access-control-expose-headers', expose.join(', '));
      for (let i = 0; i < common.length; i += 2) x.setHeader(common[i] as string, common[i + 1] as string);
      return undefined;
    },
  };
}
