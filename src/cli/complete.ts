/**
 * What a shell asks at each Tab: what the word under the cursor can become. The answer comes from
 * the same command values as the parser's; nothing is read and nothing is sent.
 */
import type { Argument } from "./argument.ts";
import type { Command, Group } from "./command.ts";
import { kebab, optionsOf } from "./parse.ts";

/** How a shell goes on. */
interface Completion {
  /**
   * `words`: one of them; `part`: the same, and the word goes on; `files`: the shell's own paths.
   */
  readonly form: "words" | "part" | "files";
  /** The beginning of the word that stays as it is, such as `--requestData=@`. */
  readonly prefix: string;
  readonly words: readonly (readonly [name: string, means: string])[];
}

const NOTHING: Completion = { form: "words", prefix: "", words: [] };

/**
 * The answer as lines: the form and the prefix, then a word and its meaning on each line, with a
 * tab between. `asked` is the word under the cursor behind a dot, since some shells drop an empty
 * argument, and then the words before it. `open` returns the registry, or the part of it that a
 * first word needs.
 */
export async function completionText(
  asked: readonly string[],
  open: (word?: string) => Promise<Group>,
): Promise<string> {
  const [dotted = ".", ...before] = asked;
  const { form, prefix, words } = await complete(dotted.slice(1), before, open);
  const rows = words.map(([name, means]) => `${name}\t${means}`);
  return `${[`${form} ${prefix}`, ...rows].join("\n")}\n`;
}

async function complete(
  current: string,
  before: readonly string[],
  open: (word?: string) => Promise<Group>,
): Promise<Completion> {
  let place: Command | Group = await open(before[0]);
  let option: Argument<unknown> | undefined;
  for (const word of before) {
    if (word === "--") return NOTHING;
    if (option !== undefined) option = undefined;
    else if (word.startsWith("-")) option = word.includes("=") ? undefined : valued(place, word);
    else if (describes(place)) place = describedBy(await open(), before) ?? place;
    else place = memberOf(place, word) ?? place;
  }
  if (option !== undefined) return valuesOf(option, current, "");
  const [, name, value] = /^(-[^=]*)=(.*)$/s.exec(current) ?? [];
  if (name !== undefined && value !== undefined) {
    const argument = valued(place, name);
    return argument === undefined ? NOTHING : valuesOf(argument, value, `${name}=`);
  }
  const isDescriber = describes(place);
  const words = wordsOf(isDescriber ? await open() : place);
  if (!current.startsWith("-") && words.length > 0) return fitting(words, current);
  const options = Object.entries(optionsOf(place));
  return fitting(
    options.map(([long, { description }]) => [`--${long}`, description]),
    current,
  );
}

/** True for the command whose operands are the words of a command (`schema`). */
function describes(place: Command | Group): boolean {
  return place.kind === "command" && place.operands?.placeholder === "<command…>";
}

/** Where the words behind a describing command lead. */
function describedBy(root: Group, before: readonly string[]): Command | Group | undefined {
  const words = before.filter((word) => !word.startsWith("-")).slice(1);
  let place: Command | Group | undefined = root;
  for (const word of words) place = place === undefined ? undefined : memberOf(place, word);
  return place;
}

function memberOf(place: Command | Group, word: string): Command | Group | undefined {
  if (place.kind === "command") return undefined;
  const found = [...place.members].find(([name]) => name === word || kebab(name) === word);
  return found?.[1];
}

/** The option of that spelling, when a value follows it. */
function valued(place: Command | Group, word: string): Argument<unknown> | undefined {
  const found = Object.entries(optionsOf(place)).find(
    ([name]) => `--${name}` === word || `--${kebab(name)}` === word,
  );
  return found?.[1].kind === "flag" ? undefined : found?.[1];
}

function valuesOf(
  { kind, limits }: Argument<unknown>,
  current: string,
  prefix: string,
): Completion {
  if (limits.choices !== undefined) {
    const words = limits.choices.map((choice) => [choice, ""] as const);
    return { ...fitting(words, current), prefix };
  }
  if (kind === "path") return { form: "files", prefix, words: [] };
  if (kind !== "json" && kind !== "material") return NOTHING;
  if (current.startsWith("@")) return { form: "files", prefix: `${prefix}@`, words: [] };
  return { ...fitting([["@", "a file"]], current), form: "part", prefix };
}

function wordsOf(place: Command | Group): Completion["words"] {
  if (place.kind === "group")
    return [...place.members].map(([name, { summary }]) => [name, summary]);
  return (place.operands?.limits.choices ?? []).map((choice) => [choice, ""]);
}

function fitting(words: Completion["words"], current: string): Completion {
  return { form: "words", prefix: "", words: words.filter(([name]) => name.startsWith(current)) };
}
