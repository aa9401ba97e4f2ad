/**
 * `--fields a,b.c`: a projection of a result's items. A name counts as known when the command
 * declares it or when the answer holds it; anything else is a typing error and is refused, so that
 * a reader does not take a missing column for missing data.
 */
import type { GenericSchema } from "valibot";
import { CliError } from "../errors.ts";
import { Exact, elements, encode, member, members } from "../io/json.ts";

type Path = readonly string[];

/** The projection of one run; it remembers which names it has met. */
export class Projection {
  private readonly seen = new Set<string>();
  private readonly found = new Set<string>();
  private checked = false;

  /** `declared` are the dotted names that the command's output schema knows. */
  constructor(
    private readonly paths: readonly Path[],
    private readonly declared: ReadonlySet<string>,
  ) {}

  /** The dotted names, in the order in which they were given. */
  get names(): readonly string[] {
    return this.paths.map((path) => path.join("."));
  }

  /**
   * Before a command that changes something: only declared names will do, since refusing afterwards
   * would hide the effect.
   */
  requireDeclared(): void {
    const unknown = this.undeclared();
    if (unknown.length > 0) throw this.unknown(unknown);
  }

  /** Whether the schema knows all of them. */
  get isDeclared(): boolean {
    return this.undeclared().length === 0;
  }

  /**
   * Projects one page of items; the first one that has any also settles which names are unknown.
   * Throws INVALID_ARGUMENT.
   */
  items(items: readonly Exact[]): Exact[] {
    const projected = items.map((item) => this.project(item, this.paths, ""));
    if (!this.checked && items.length > 0) {
      this.check();
      this.checked = true;
    }
    return projected;
  }

  /** Projects a list page by page; passes on what the list returns. */
  async *each<T>(
    pages: AsyncGenerator<readonly Exact[], T, void>,
  ): AsyncGenerator<Exact[], T, void> {
    for (;;) {
      const page = await pages.next();
      if (page.done === true) return page.value;
      yield this.items(page.value);
    }
  }

  /**
   * Projects the items of the result's `results` member, or of a result that is an array. Any other
   * is passed on (the answer's shape is the API's).
   */
  results(document: Exact): Exact {
    if (document.text.startsWith("[")) return new Exact(encode(this.items(elements(document))));
    const list = member(document, "results");
    if (list === undefined || !list.text.startsWith("[")) return document;
    const projected = this.items(elements(list));
    const rest = members(document).map(
      ([key, value]) => [key, key === "results" ? projected : value] as const,
    );
    return new Exact(
      `{${rest.map(([key, value]) => `${encode(key)}:${encode(value)}`).join(",")}}`,
    );
  }

  /**
   * The chosen members of one object, in the order of the object. Anything else has none to
   * choose from and stays as it is.
   */
  private project(item: Exact, paths: readonly Path[], prefix: string): Exact {
    if (!item.text.startsWith("{")) return item;
    const parts: string[] = [];
    for (const [key, value] of members(item)) {
      const name = `${prefix}${key}`;
      if (this.seen.size < 1000) this.seen.add(name);
      const chosen = paths.filter((path) => path[0] === key);
      if (chosen.length === 0) continue;
      const deeper = chosen.filter((path) => path.length > 1).map((path) => path.slice(1));
      const whole = deeper.length < chosen.length;
      if (whole) this.found.add(name);
      const picked = whole ? value : this.project(value, deeper, `${name}.`);
      parts.push(`${encode(key)}:${picked.text}`);
    }
    return new Exact(`{${parts.join(",")}}`);
  }

  private check(): void {
    const unknown = this.paths.filter(
      (path) => !this.found.has(path.join(".")) && !this.knows(path),
    );
    if (unknown.length > 0) throw this.unknown(unknown);
  }

  private undeclared(): readonly Path[] {
    return this.paths.filter((path) => !this.knows(path));
  }

  private knows(path: Path): boolean {
    return this.declared.has(path.join("."));
  }

  private unknown(paths: readonly Path[]): CliError {
    return new CliError("INVALID_ARGUMENT", {
      message: "--fields names a field that the result does not have.",
      field: "--fields",
      hint: "error.details.known lists the fields there are.",
      details: {
        unknown: paths.map((path) => path.join(".")),
        known: [...new Set([...this.declared, ...this.seen])].sort(),
      },
    });
  }
}

/** Reads `a,b.c`. Throws INVALID_ARGUMENT for empty and repeated names. */
export function parseFields(raw: string, option: string): readonly Path[] {
  const names = raw.split(",");
  const wellFormed = names.every(
    (name) => /^[^\s.,][^\s,]*$/.test(name) && !name.split(".").includes(""),
  );
  if (!wellFormed || new Set(names).size < names.length || names.length > 100) {
    throw new CliError("INVALID_ARGUMENT", {
      message: `${option} takes field names, separated by commas, each once.`,
      field: option,
    });
  }
  return names.map((name) => name.split("."));
}

interface SchemaNode {
  readonly type: string;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly wrapped?: SchemaNode;
  readonly item?: SchemaNode;
  /** Of a union. */
  readonly options?: readonly SchemaNode[];
}

/** The dotted names that an output schema declares for the thing that `--fields` projects. */
export function declaredFields(
  schema: GenericSchema | undefined,
  target: "results" | "object",
): ReadonlySet<string> {
  const root = unwrap(schema as SchemaNode | undefined);
  const item = target === "results" ? unwrap(unwrap(root?.entries?.results)?.item) : root;
  return new Set((item?.options ?? [item]).flatMap((shape) => [...namesOf(shape, "")]));
}

function unwrap(node: SchemaNode | undefined): SchemaNode | undefined {
  return node?.wrapped === undefined ? node : unwrap(node.wrapped);
}

function* namesOf(node: SchemaNode | undefined, prefix: string): Generator<string> {
  for (const [name, child] of Object.entries(node?.entries ?? {})) {
    yield `${prefix}${name}`;
    const inner = unwrap(child);
    for (const shape of inner?.options ?? [inner]) yield* namesOf(shape, `${prefix}${name}.`);
  }
}
