export { type Answer, type Ask, ask } from './testing/client.ts';
export type { HostUnderTest, Running } from './testing/host.ts';
export { nodeRoutes, webRoutes } from './testing/routes.ts';
export { type Spy, spy } from './testing/spy.ts';
export { type ConformanceCase, conformanceCases } from './testing/suite.ts';
