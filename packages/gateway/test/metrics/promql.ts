/** What an expression of PromQL asks for by name. */
export interface Use {
  readonly metric: string;
  /** Each matcher: a label, and the words that it is compared with. */
  readonly matchers: readonly { readonly label: string; readonly words: readonly string[] }[];
  /** The labels that the aggregations around it keep. */
  readonly by: readonly string[];
}

const token =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|[a-zA-Z_:][\w:]*|\d[\w.]*|!=|=~|!~|==|>=|<=|[-+*/%^(){},=<>]/g;
/** Functions, aggregations and words of the language; whatever else is a name is a metric's. */
const language = new Set(
  `abs avg bool by count group_left group_right histogram_quantile ignoring increase label_values max min offset on or and
  unless rate sum topk vector without`.split(/\s+/),
);

/** Finds the metrics of an expression, with what is said of their labels. `by (...)` stands before what it is about. */
export function usesOf(expression: string): Use[] {
  const tokens: readonly string[] = expression.match(token) ?? [];
  const uses: Use[] = [];
  /** For each open bracket the labels that its aggregation keeps. */
  const around: (readonly string[])[] = [];
  let kept: readonly string[] = [];
  for (let i = 0; i < tokens.length; i += 1) {
    const word = tokens[i] as string;
    if (word === 'by') {
      const end = tokens.indexOf(')', i);
      kept = tokens.slice(i + 2, end).filter((each) => each !== ',');
      i = end;
    } else if (word === '(') {
      around.push(kept);
      kept = [];
    } else if (word === ')') {
      around.pop();
    } else if (/^[a-zA-Z_:]/.test(word) && !language.has(word) && !/^\d*[smhdw]$/.test(word)) {
      const end = tokens[i + 1] === '{' ? tokens.indexOf('}', i) : i;
      uses.push({ metric: word, matchers: matchersOf(tokens.slice(i + 2, end)), by: around.flat() });
      i = end;
    }
  }
  return uses;
}

function matchersOf(tokens: readonly string[]): Use['matchers'] {
  const matchers = [];
  for (let i = 0; i < tokens.length; i += 4) {
    const [label = '', , text = ''] = tokens.slice(i);
    matchers.push({ label, words: text.slice(1, -1).split('|') });
  }
  return matchers;
}
