import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../../metrics');

/** Where the alert rules are. */
export const rulesFile = join(folder, 'prometheus/weir.rules.yml');

export interface Rule {
  readonly alert: string | undefined;
  readonly record: string | undefined;
  readonly expr: string;
  /** All of it, as it stands. */
  readonly text: string;
}

/** The rules of the file, in its order. */
export function rules(): Rule[] {
  const parts = readFileSync(rulesFile, 'utf8').split(/^ +- (?=alert:|record:)/m);
  return parts.slice(1).map((text) => {
    const [, kind, name] = /^(alert|record): (\S+)$/m.exec(text) ?? [];
    const expr = /^ +expr: (?:\|\n((?: {10}.*\n)+)|([^|\n].*))/m.exec(text);
    if (expr === null) throw new Error(`no expression in ${name}`);
    return {
      alert: kind === 'alert' ? name : undefined,
      record: kind === 'record' ? name : undefined,
      expr: (expr[1] ?? expr[2] ?? '').trim(),
      text,
    };
  });
}

export interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

export interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { readonly query: string } }[];
  };
}

export function dashboard(): Dashboard {
  return JSON.parse(readFileSync(join(folder, 'grafana/weir.json'), 'utf8'));
}
