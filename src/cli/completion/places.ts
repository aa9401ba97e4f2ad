/**
 * Command values → what can stand where on a command line; every shell's script is made from this.
 */
import type { Argument } from "../argument.ts";
import type { Command, Group } from "../command.ts";
import { kebab, optionsOf } from "../parse.ts";

/**
 * What a value looks like: one of a list, a file, `@` and a file, or nothing that could be known
 * beforehand.
 */
export type ValueForm = readonly string[] | "file" | "document" | "free";

export interface Choice {
  readonly name: string;
  readonly means: string;
}

export interface OptionPlace extends Choice {
  /** `--pageSize` and `--page-size`. */
  readonly spellings: readonly string[];
  /** Undefined for a flag. */
  readonly value: ValueForm | undefined;
}

export interface Place {
  /** Words that lead here, joined by spaces; empty at the start. */
  readonly path: string;
  readonly words: readonly (Choice & { readonly spellings: readonly string[] })[];
  readonly options: readonly OptionPlace[];
}

/**
 * Every place of the program's command line, the start first. Words after `schema` name commands,
 * so those places are there too.
 */
export function placesOf(root: Group): Place[] {
  const places = [...walkPlaces(root, [])];
  const describing = [...root.members]
    .filter(([, member]) => isDescriber(member))
    .map(([name]) => name);
  const named = places.filter(({ path, words }) => words.length > 0 && !describing.includes(path));
  const described = describing.flatMap((name) =>
    named.map(({ path, words }) => ({
      path: path === "" ? name : `${name} ${path}`,
      words,
      options: [],
    })),
  );
  const replaced = new Map([...places, ...described].map((place) => [place.path, place]));
  for (const name of describing) {
    const own = places.find(({ path }) => path === name);
    const words = replaced.get(name)?.words ?? [];
    if (own !== undefined) replaced.set(name, { ...own, words });
  }
  return [...replaced.values()];
}

function isDescriber(member: Command | Group): boolean {
  return member.kind === "command" && member.operands?.placeholder === "<command…>";
}

function* walkPlaces(target: Command | Group, words: readonly string[]): Generator<Place> {
  const options = Object.entries(optionsOf(target)).map(([name, argument]) =>
    optionPlace(name, argument),
  );
  yield { path: words.join(" "), words: choicesOf(target), options };
  if (target.kind === "command") return;
  for (const [name, member] of target.members) yield* walkPlaces(member, [...words, name]);
}

function choicesOf(target: Command | Group): Place["words"] {
  if (target.kind === "command") {
    return (target.operands?.limits.choices ?? []).map((name) => ({
      name,
      means: "",
      spellings: [name],
    }));
  }
  return [...target.members].map(([name, { summary }]) => ({
    name,
    means: summary,
    spellings: spellings(name),
  }));
}

function optionPlace(name: string, argument: Argument<unknown>): OptionPlace {
  return {
    name: `--${name}`,
    means: argument.description,
    spellings: spellings(name).map((spelling) => `--${spelling}`),
    value: argument.kind === "flag" ? undefined : formOf(argument),
  };
}

function spellings(name: string): string[] {
  return [...new Set([name, kebab(name)])];
}

function formOf({ kind, limits }: Argument<unknown>): ValueForm {
  if (limits.choices !== undefined) return limits.choices;
  if (kind === "path") return "file";
  return kind === "json" || kind === "material" ? "document" : "free";
}

/** A row for each value that options can take: where, how spelled, what follows. */
export function valueRows(
  places: readonly Place[],
): { path: string; spellings: readonly string[]; value: ValueForm }[] {
  return places.flatMap(({ path, options }) =>
    options.flatMap(({ spellings: spelled, value }) =>
      value === undefined ? [] : [{ path, spellings: spelled, value }],
    ),
  );
}

/**
 * A row for each step from one place to the next; a word that leads nowhere (a command's last
 * operand) has none.
 */
export function stepRows(
  places: readonly Place[],
): { path: string; spellings: readonly string[]; to: string }[] {
  const known = new Set(places.map(({ path }) => path));
  return places.flatMap(({ path, words }) =>
    words
      .map(({ name, spellings: spelled }) => ({
        path,
        spellings: spelled,
        to: path === "" ? name : `${path} ${name}`,
      }))
      .filter(({ to }) => known.has(to)),
  );
}
