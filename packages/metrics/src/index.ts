export { type CollectOptions, collect } from './collect.ts';
export { metricsEndpoint } from './endpoint.ts';
