/**
 * The script format of test/scripts/*.txt, made to be read and added to by someone who has never
 * seen it:
 *
 *   # A comment.
 *   env LEDGER_ENTERPRISE_READ_ONLY=1      unset LEDGER_ENTERPRISE_API_KEY_ID
 *   file request.json <<EOF                sandbox advance 301
 *   {"type":"…"}
 *   EOF
 *
 *   $ ledger-enterprise-cli accounts get --id 7
 *   exit 4
 *   {"error":{"code":"NOT_FOUND", … the whole document, over as many lines as you like … }}
 *
 * After `$` and up to an empty line is what the command gets (`stdin <<EOF`) and what it must
 * do: `exit N` (0 when absent), `stderr …` for each line there (none when absent: silence), and the
 * whole of stdout: a JSON document, or `text <<EOF`; nothing when absent. In the document `"<any>"`
 * matches one value of any kind and `"<capture NAME>"` for one that later lines name as `$NAME`;
 * `$NAME` also names environment variables. Key order and digits count, white space does not. A
 * line that ends in ` \` goes on in the next.
 */

export interface Run {
  readonly kind: "run";
  readonly line: number;
  readonly command: string;
  readonly stdin: string | undefined;
  readonly exit: number;
  readonly stderr: readonly string[];
  readonly stdout: { readonly json: string } | { readonly text: string };
}

export type Step =
  | Run
  | {
      readonly kind: "env";
      readonly line: number;
      readonly name: string;
      readonly value: string | undefined;
    }
  | {
      readonly kind: "file";
      readonly line: number;
      readonly name: string;
      readonly content: string;
    }
  | {
      readonly kind: "sandbox";
      readonly line: number;
      readonly verb: string;
      readonly rest: string;
    };

export const PROGRAM = "ledger-enterprise-cli";

/** Lines of a script, read from the top; `number` counts from 1 for messages. */
class Lines {
  private at = 0;
  private readonly lines: readonly string[];

  constructor(text: string) {
    this.lines = text.split("\n");
  }

  get number(): number {
    return this.at + 1;
  }

  peek(): string | undefined {
    return this.lines[this.at];
  }

  next(): string | undefined {
    const line = this.lines[this.at];
    this.at += 1;
    return line;
  }

  /** `line`, with the lines after it as long as each ends in a backslash. */
  joined(line: string): string {
    return line.endsWith(" \\")
      ? `${line.slice(0, -1)}${this.joined((this.next() ?? "").trimStart())}`
      : line;
  }

  /** What follows `<<WORD`, up to a line that is WORD. */
  hereDocument(word: string): string {
    const content: string[] = [];
    const start = this.number;
    for (let line = this.next(); line !== word; line = this.next()) {
      if (line === undefined) throw new Error(`Line ${start}: ${word} is never reached.`);
      content.push(`${line}\n`);
    }
    return content.join("");
  }
}

/** The steps of a script. Throws on any line that it does not understand. */
export function parseScript(text: string): Step[] {
  const lines = new Lines(text);
  const steps: Step[] = [];
  while (lines.peek() !== undefined) {
    const step = parseStep(lines);
    if (step !== undefined) steps.push(step);
  }
  if (!steps.some(({ kind }) => kind === "run")) throw new Error("The script runs no command.");
  return steps;
}

function parseStep(lines: Lines): Step | undefined {
  const line = lines.number;
  const text = lines.joined(lines.next() ?? "");
  if (text.trim() === "" || text.startsWith("#")) return undefined;
  const [, command] = /^\$ (.*)$/.exec(text) ?? [];
  if (command !== undefined) return parseRun(command, line, lines);
  const [, name, value] = /^env ([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { kind: "env", line, name, value };
  const [, unset] = /^unset ([A-Za-z_][A-Za-z0-9_]*)$/.exec(text) ?? [];
  if (unset !== undefined) return { kind: "env", line, name: unset, value: undefined };
  const [, file, word] = /^file (\S+) <<(\w+)$/.exec(text) ?? [];
  if (file !== undefined && word !== undefined)
    return { kind: "file", line, name: file, content: lines.hereDocument(word) };
  const [, verb, rest = ""] = /^sandbox (\w+)(?: (.*))?$/.exec(text) ?? [];
  if (verb !== undefined) return { kind: "sandbox", line, verb, rest };
  throw new Error(`Line ${line} is not understood: ${text}`);
}

function parseRun(command: string, line: number, lines: Lines): Run {
  let stdin: string | undefined;
  let exit = 0;
  let text: string | undefined;
  const stderr: string[] = [];
  const json: string[] = [];
  for (
    let next = lines.peek();
    next !== undefined && next.trim() !== "" && !next.startsWith("$ ");
    next = lines.peek()
  ) {
    lines.next();
    const [, stream, word] = /^(stdin|text) <<(\w+)$/.exec(next) ?? [];
    if (stream !== undefined && word !== undefined) {
      const content = lines.hereDocument(word);
      if (stream === "stdin") stdin = content;
      else text = content;
    } else if (json.length === 0 && /^exit \d+$/.test(next))
      exit = Number(next.slice("exit ".length));
    else if (json.length === 0 && next.startsWith("stderr "))
      stderr.push(next.slice("stderr ".length));
    else if (json.length > 0 || /^[[{"]/.test(next)) json.push(next);
    else throw new Error(`Line ${lines.number - 1} is not understood: ${next}`);
  }
  if (text !== undefined && json.length > 0)
    throw new Error(`Line ${line}: stdout is either JSON or text.`);
  return {
    kind: "run",
    line,
    command,
    stdin,
    exit,
    stderr,
    stdout: text === undefined ? { json: json.join("\n") } : { text },
  };
}

/**
 * Replaces `$NAME` by its value. A name that is not known stays as it is, since API documents hold
 * dollar signs too.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$([A-Z][A-Z0-9_]*)/g,
    (whole, name: string) => variables.get(name) ?? whole,
  );
}

/**
 * The words of a command line, as a shell splits them: '…' is taken literally, elsewhere `$NAME` is
 * replaced.
 */
export function splitCommand(command: string, variables: ReadonlyMap<string, string>): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (const [part, single, double] of command.matchAll(/'([^']*)'|"([^"]*)"|\s+|[^\s'"]+/g)) {
    if (/^\s+$/.test(part)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + (single ?? expand(double ?? part, variables));
  }
  if (word !== undefined) words.push(word);
  return words;
}
