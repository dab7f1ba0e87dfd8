export { HeaderFields } from './header-fields.ts';
export type {
  ForwardOptions,
  HeaderRules,
  HedgeOptions,
  IncomingResponse,
  OutgoingRequest,
  ProxyOptions,
  RetryOptions,
  TimeoutOptions,
  TlsOptions,
  UpgradeOptions,
} from './options.ts';
export { type CloseOptions, type ProxyPolicy, proxy } from './proxy.ts';
export { stripPrefix } from './strip-prefix.ts';
export { type Upgrade, upgrade } from './upgrade.ts';
