import { RedisVersionError } from '../errors.ts';
import type { Driver } from './driver.ts';

/** Scripts may read the clock and then write since 5. */
const OLDEST = 5;

/** Asked when a script has failed for no known reason: whether the server is too old for it. */
export async function versionFault(driver: Driver): Promise<RedisVersionError | undefined> {
  try {
    const info = String(await driver.send(['info', 'server'], undefined, false));
    const version = /^redis_version:(.+?)\r?$/m.exec(info)?.[1] ?? '';
    return Number.parseInt(version, 10) < OLDEST ? new RedisVersionError(version) : undefined;
  } catch {
    return undefined;
  }
}
