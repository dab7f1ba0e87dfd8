import type { Policy } from '@weir/core';
import type { Logger } from 'pino';
import { identityKey } from './identity.ts';
import { requestIdKey } from './request-id.ts';

/** One line for each request, when it has ended. Of the target only the path is told: queries hold secrets. */
export function accessLog(logger: Logger): Policy {
  return {
    name: 'access-log',
    enter: (x) => (outcome) => {
      logger.info({
        id: x.get(requestIdKey),
        ip: x.ip,
        method: x.method,
        host: x.host,
        path: x.path,
        status: outcome.status,
        outcome: outcome.kind,
        by: outcome.by,
        caller: x.get(identityKey)?.id,
        headMs: Math.round(outcome.headMs * 10) / 10,
        durationMs: Math.round(outcome.durationMs * 10) / 10,
        error: outcome.error instanceof Error ? outcome.error.message : undefined,
      });
    },
  };
}
