import { UnknownRedisClientError } from '../errors.ts';
import type { Driver, DriverEvents } from './driver.ts';
import { IoredisDriver, isIoredis } from './ioredis-driver.ts';
import { isNodeRedis, NodeRedisDriver } from './node-redis-driver.ts';

/** The driver for a client, told by what it can do: two copies of a library, or a subclass, are as good. */
export function driverOf(client: unknown, events: DriverEvents): Driver {
  if (typeof client === 'object' && client !== null) {
    if (isIoredis(client)) return new IoredisDriver(client, events);
    if (isNodeRedis(client)) return new NodeRedisDriver(client, events);
  }
  throw new UnknownRedisClientError(client);
}
