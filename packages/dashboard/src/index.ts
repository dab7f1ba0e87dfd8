export { type DashboardOptions, dashboard } from './dashboard.ts';
export type { Level, Verdict } from './level.ts';
export type { Frame, LoggedEvent, Shown } from './snapshot.ts';
