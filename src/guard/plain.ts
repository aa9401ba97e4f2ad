/**
 * A command line that is one read and nothing else, as the line with which a guard is asked. It
 * knows the commands by a table that is made from them (reads.ts), and gives up where a value is
 * not plain: then the program reads the command line, and says what is wrong with it.
 */
import { READS } from "./reads.ts";

/** What an option takes, or what is sent without it. */
export type Rule =
  | readonly ["flag"]
  | readonly ["integer", minimum: number, maximum: number]
  | readonly ["choice", ...choices: string[]]
  | readonly ["word", longest: number]
  | readonly ["fixed", value: unknown];

/** A command that can be asked for early (src/guard/reads.ts). */
export interface Read {
  readonly operation: string;
  readonly required: readonly string[];
  /** In the order in which they are sent. */
  readonly options: readonly (readonly [name: string, ...Rule])[];
}

/** The request's line; undefined for a command line that the program has to look at. */
export function requestLine([group = "", word = "", ...rest]: readonly string[]):
  | string
  | undefined {
  const words = `${group} ${word}`;
  const read = Object.hasOwn(READS, words) ? READS[words] : undefined;
  if (read === undefined) return undefined;
  const { operation, required, options } = JSON.parse(read) as Read;
  const given = givenIn(rest, options);
  if (given === undefined || required.some((name) => given[name] === undefined)) return undefined;
  const parameters: Record<string, unknown> = {};
  for (const [name, ...rule] of options) {
    const raw = given[name];
    const value = raw === undefined ? absent(rule) : valueIn(rule, raw);
    if (raw !== undefined && value === undefined) return undefined;
    if (value !== undefined) parameters[name] = value;
  }
  return `${JSON.stringify({ v: 1, verb: "read", operation, parameters, length: 0 })}\n`;
}

/** The options as they are written; undefined where one is unknown, repeated, or without value. */
function givenIn(
  words: readonly string[],
  options: Read["options"],
): Readonly<Record<string, string>> | undefined {
  const given: Record<string, string> = Object.create(null);
  for (let at = 0; at < words.length; at += 1) {
    const name = words[at]?.startsWith("--") ? words[at]?.slice(2) : undefined;
    const option = options.find((one) => one[0] === name);
    if (name === undefined || option === undefined || given[name] !== undefined) return undefined;
    if (option[1] !== "flag") at += 1;
    const value = option[1] === "flag" ? "" : words[at];
    if (value === undefined) return undefined;
    given[name] = value;
  }
  return given;
}

/** What is sent of an option that is not given. */
function absent([kind, value]: Rule): unknown {
  if (kind === "flag") return false;
  return kind === "fixed" ? value : undefined;
}

/** The value as the command reads it; undefined for one that the program has to look at. */
function valueIn([kind, ...limits]: Rule, raw: string): unknown {
  if (kind === "flag") return true;
  if (kind === "fixed") return undefined;
  if (kind === "choice") return limits.some((choice) => choice === raw) ? raw : undefined;
  if (kind === "integer") {
    const value = /^(0|[1-9][0-9]{0,15})$/.test(raw) ? Number(raw) : Number.NaN;
    const [minimum = 0, maximum = 0] = limits.map(Number);
    return value >= minimum && value <= maximum ? value : undefined;
  }
  const isPlain = /^[A-Za-z0-9][A-Za-z0-9._~-]*$/.test(raw) && raw.length <= Number(limits[0]);
  return isPlain ? raw : undefined;
}
