import type { Pairs } from './body.ts';
import type { Json } from './component.ts';
import { InvalidOptionError } from './errors.ts';
import type { Reply } from './policy.ts';

/** What a problem says. Members beyond these are extensions, sent as they are. */
export interface ProblemDetails {
  /** A URI that names the kind of problem. @default 'about:blank', left out */
  readonly type?: string | undefined;
  /** The same for every occurrence of the type. @default the status's own phrase */
  readonly title?: string | undefined;
  /** What happened this time, for a person. Never anything internal. */
  readonly detail?: string | undefined;
  readonly instance?: string | undefined;
  /** Further header fields of the reply. Not part of the body. */
  readonly headers?: Pairs | undefined;
  /** How outer policies see the reply. Not part of the body. @default 'rejected' */
  readonly kind?: Reply['kind'];
  readonly [extension: string]: Json | Pairs | undefined;
}

const phrases: { readonly [status: number]: string } = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/**
 * A reply that says what went wrong, as `application/problem+json` (RFC 9457). The body is built here, once, so a
 * policy that always refuses in the same words keeps the reply.
 *
 * @throws InvalidOptionError if `status` is not an integer from 400 to 599.
 *
 * @example
 * problem(503, { detail: 'All upstreams are down.', headers: ['retry-after', '5'] });
 */
export function problem(status: number, details: ProblemDetails = {}): Reply {
  if (!(Number.isInteger(status) && status >= 400 && status <= 599)) {
    throw new InvalidOptionError('status', 'an integer from 400 to 599', status);
  }
  const { headers = [], kind, type, title = phrases[status], ...rest } = details;
  return {
    status,
    headers: ['content-type', 'application/problem+json', ...headers],
    body: JSON.stringify({ type, title, status, ...rest }),
    kind,
  };
}
