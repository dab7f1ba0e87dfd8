import { type Pairs, problem, type Reply } from '@weir/core';

/** Why no answer came: the error types of RFC 9209, section 2.3, that can happen here. */
export type FailureType =
  | 'destination_unavailable'
  | 'dns_error'
  | 'destination_ip_unroutable'
  | 'connection_refused'
  | 'connection_terminated'
  | 'connection_timeout'
  | 'tls_protocol_error'
  | 'tls_certificate_error'
  | 'http_request_error'
  | 'http_response_header_section_size'
  | 'http_response_incomplete'
  | 'http_response_timeout'
  | 'http_upgrade_failed'
  | 'http_protocol_error'
  | 'proxy_internal_response';

/** What the client is told. Nothing here names an upstream. */
const told: { readonly [type in FailureType]: readonly [status: number, detail: string] } = {
  destination_unavailable: [503, 'No upstream is available.'],
  dns_error: [502, 'The name of the upstream could not be resolved.'],
  destination_ip_unroutable: [502, 'There is no route to the upstream.'],
  connection_refused: [502, 'The upstream refused the connection.'],
  connection_terminated: [502, 'The upstream closed the connection before it answered.'],
  connection_timeout: [504, 'The upstream could not be reached in time.'],
  tls_protocol_error: [502, 'No secure connection to the upstream could be made.'],
  tls_certificate_error: [502, 'The certificate of the upstream is not valid.'],
  http_request_error: [400, 'The request cannot be passed on.'],
  http_response_header_section_size: [502, 'The headers of the upstream’s response are too large.'],
  http_response_incomplete: [502, 'The upstream’s response is not complete.'],
  http_response_timeout: [504, 'The upstream did not answer in time.'],
  http_upgrade_failed: [502, 'The upstream switched to another protocol than the one asked for.'],
  http_protocol_error: [502, 'The upstream’s response is not valid HTTP.'],
  proxy_internal_response: [503, 'The proxy is shutting down.'],
};

const byCode: { readonly [code: string]: FailureType } = {
  ENOTFOUND: 'dns_error',
  EAI_AGAIN: 'dns_error',
  EAI_FAIL: 'dns_error',
  EHOSTUNREACH: 'destination_ip_unroutable',
  ENETUNREACH: 'destination_ip_unroutable',
  EADDRNOTAVAIL: 'destination_ip_unroutable',
  ECONNREFUSED: 'connection_refused',
  ETIMEDOUT: 'connection_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connection_timeout',
  ERR_WEIR_PROXY_HEAD_TIMEOUT: 'http_response_timeout',
  UND_ERR_HEADERS_OVERFLOW: 'http_response_header_section_size',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'http_response_incomplete',
  UND_ERR_INVALID_ARG: 'http_request_error',
  UND_ERR_NOT_SUPPORTED: 'http_request_error',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'http_request_error',
  UND_ERR_CLOSED: 'proxy_internal_response',
  UND_ERR_DESTROYED: 'proxy_internal_response',
  EPROTO: 'tls_protocol_error',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_certificate_error',
};

/** Names an error of undici, the socket or TLS. */
export function failureType(error: unknown): FailureType {
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (typeof code !== 'string') return 'connection_terminated';
  const known = byCode[code];
  if (known !== undefined) return known;
  if (code.startsWith('HPE_')) return 'http_protocol_error';
  if (/CERT|UNABLE_TO_(?:GET|VERIFY)|SELF_SIGNED|INVALID_CA|HOSTNAME_MISMATCH/.test(code)) {
    return 'tls_certificate_error';
  }
  return /^ERR_(?:SSL|TLS)/.test(code) ? 'tls_protocol_error' : 'connection_terminated';
}

/** Whether it is the upstream that is to blame. */
export function blamesUpstream(type: FailureType): boolean {
  return type !== 'http_request_error' && type !== 'proxy_internal_response';
}

/** Makes the replies of one proxy, each once. */
export function failureReplies(via: string | undefined): (type: FailureType) => Reply {
  const made = new Map<FailureType, Reply>();
  return (type) => {
    let reply = made.get(type);
    if (reply === undefined) made.set(type, (reply = failureReply(type, via)));
    return reply;
  };
}

/** @param retryAfterSeconds for a 503: when to come back */
export function failureReply(type: FailureType, via: string | undefined, retryAfterSeconds = 1): Reply {
  const [status, detail] = told[type];
  const headers: string[] = [];
  if (status === 503) headers.push('retry-after', String(retryAfterSeconds));
  if (via !== undefined) headers.push(...proxyStatus(via, type));
  return problem(status, { detail, headers, kind: status === 400 ? 'rejected' : 'error' });
}

/** RFC 9209. The next hop is left out: it is nobody's business where the upstreams are. */
function proxyStatus(via: string, type: FailureType): Pairs {
  return ['proxy-status', `${via}; error=${type}`];
}
