/**
 * Compares a JSON text with an expectation, token by token: digits, escapes, key order and surplus
 * members count. Independent of the program's own JSON reader.
 */
const TOKEN = /\s+|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/y;

/** The tokens of a JSON text without white space. Throws when it is not JSON. */
export function tokensOf(text: string): string[] {
  JSON.parse(text);
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) throw new Error("The text has a token that is not a JSON token.");
    if (token.trim() !== "") tokens.push(token);
  }
  return tokens;
}

/** The same document indented by two spaces, as `--pretty` must print it. */
export function indent(tokens: readonly string[]): string {
  let depth = 0;
  let text = "";
  const newline = (): string => `\n${"  ".repeat(depth)}`;
  for (const [index, token] of tokens.entries()) {
    const isEmpty = /^[\]}]$/.test(token) && /^[[{]$/.test(tokens[index - 1] ?? "");
    if (/^[\]}]$/.test(token)) {
      depth -= 1;
      text += isEmpty ? token : `${newline()}${token}`;
    } else if (/^[[{]$/.test(token)) {
      depth += 1;
      text += /^[\]}]$/.test(tokens[index + 1] ?? "") ? token : `${token}${newline()}`;
    } else if (token === ",") text += `,${newline()}`;
    else text += token === ":" ? ": " : token;
  }
  return text;
}

/**
 * Where the documents differ, or undefined. `"<any>"` matches one value; `"<capture NAME>"` too,
 * and hands it to `capture` (a string without its quotes, anything else as it is written).
 */
export function difference(
  expected: readonly string[],
  actual: readonly string[],
  capture: (name: string, value: string) => void,
): string | undefined {
  let at = 0;
  for (const [index, token] of expected.entries()) {
    const found = actual[at];
    const [, wildcard, name] = /^"<(any|capture ([A-Z][A-Z0-9_]*))>"$/.exec(token) ?? [];
    if (wildcard !== undefined && found !== undefined && expected[index + 1] !== ":") {
      const end = endOfValue(actual, at);
      const value = actual.slice(at, end).join("");
      if (name !== undefined)
        capture(name, value.startsWith('"') ? (JSON.parse(value) as string) : value);
      at = end;
    } else if (found === token) at += 1;
    else
      return `expected ${token} after ${context(expected, index)} but found ${found ?? "the end"}`;
  }
  return at === actual.length
    ? undefined
    : `expected the end but found ${actual.slice(at, at + 4).join("")}`;
}

function context(tokens: readonly string[], index: number): string {
  return index === 0 ? "the beginning" : tokens.slice(Math.max(0, index - 6), index).join("");
}

/** Index behind the value that begins at `start`. */
function endOfValue(tokens: readonly string[], start: number): number {
  let depth = 0;
  for (let at = start; at < tokens.length; at += 1) {
    if (/^[[{]$/.test(tokens[at] ?? "")) depth += 1;
    if (/^[\]}]$/.test(tokens[at] ?? "")) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return tokens.length;
}
