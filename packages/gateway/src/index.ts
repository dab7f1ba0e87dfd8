export { hashApiKey } from './api-key.ts';
export type { AuthConfig, GatewayConfig, RouteConfig, UpstreamConfig } from './config.ts';
export { ConfigError, type ConfigMistake } from './config-error.ts';
export { createGateway, type Gateway, type GatewayOptions, validateConfig } from './gateway.ts';
export { type Identity, identityKey } from './identity.ts';
export { logEvents } from './log-events.ts';
export { requestIdKey } from './request-id.ts';
