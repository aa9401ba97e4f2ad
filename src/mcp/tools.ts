/**
 * Command values → tools, and a tool's arguments → the raw values that the command line would have
 * given. What a schema cannot say, the command's own parser refuses.
 */
import type { Argument, ArgumentMap } from "../cli/argument.ts";
import { type Command, type Group, walk } from "../cli/command.ts";
import { changes } from "../cli/effect.ts";
import { nearest } from "../cli/nearest.ts";
import { checkValue } from "../cli/parse.ts";
import { CliError } from "../errors.ts";
import { type Exact, elements, members, type Node, tree } from "../io/json.ts";
import { wordOf } from "../io/word.ts";
import { textOf } from "./frames.ts";

/** What the start line may allow beside reading. */
export const ALLOWANCES = ["create", "approve"] as const;
export type Allowance = (typeof ALLOWANCES)[number];

/** Raw values by option name, as `interpret` takes them. */
export type Raw = Map<string, readonly string[]>;

/** Something that a client can call. */
export interface Tool {
  readonly name: string;
  /** Whether it creates, signs or rejects. */
  readonly isAct: boolean;
  /** What tools/list shows. */
  readonly definition: Readonly<Record<string, unknown>>;
  /** The command, its words and its raw values. Throws the usage codes, INVALID_ARGUMENT. */
  order(given: Exact | undefined): Order;
}

/** A command that is to run. */
export interface Order {
  readonly words: readonly string[];
  readonly command: Command;
  readonly raw: Raw;
  readonly operands: readonly string[];
}

/** The longest wait in one call: common clients give up after 60 s. */
const LONGEST_WAIT_SECONDS = 50;
const USUAL_WAIT_SECONDS = 45;

/** Options that walk pages, that newer servers ignore, or that are decided here. */
const HIDDEN = new Set(["all", "limit", "output", "noSummary", "sign", "skipLiveData"]);
/** Options that name a file, or carry a challenge or signature. */
const HIDDEN_KINDS = new Set(["path", "material"]);

function optionsOf({ args }: Command): ArgumentMap {
  return Object.fromEntries(
    Object.entries(args).filter(([name, { kind }]) => !HIDDEN.has(name) && !HIDDEN_KINDS.has(kind)),
  );
}

function allowanceOf({ effect }: Command): Allowance | undefined {
  return effect === "write" ? "create" : effect === "sign" ? "approve" : undefined;
}

/** The tools of a program that was started with these allowances, in the order of the registry. */
export function toolsOf(root: Group, allowed: ReadonlySet<Allowance>): Tool[] {
  const known = [...walk(root)].filter(([, { agent }]) => agent !== undefined);
  const own = known.filter(([, command]) => {
    const needed = allowanceOf(command);
    return command.agent === "tool" && (needed === undefined || allowed.has(needed));
  });
  const lookups = new Map(
    known
      .filter(([, command]) => command.agent === "lookup" && !changes(command.effect))
      .map(([words, command]) => [words.join(" "), command] as const),
  );
  const reads = own.filter(([, { effect }]) => !changes(effect));
  const acts = own.filter(([, { effect }]) => changes(effect));
  return [...reads.map(toolOf), lookupOf(lookups), describeOf(root), ...acts.map(toolOf)];
}

function toolOf([words, command]: readonly [readonly string[], Command]): Tool {
  const name = words.join("_");
  const options = optionsOf(command);
  const required = Object.keys(options).filter((option) => options[option]?.required === true);
  const properties = Object.fromEntries(
    Object.entries(options).map(([option, argument]) => [option, propertyOf(option, argument)]),
  );
  const inputSchema = schemaOf(properties, required);
  return {
    name,
    isAct: changes(command.effect),
    definition: {
      name,
      description: command.summary,
      inputSchema,
      ...hintsOf(changes(command.effect), true),
    },
    order: (given) => orderOf(words, command, given),
  };
}

function schemaOf(properties: object, required: readonly string[]): object {
  const isEmpty = Object.keys(properties).length === 0;
  return {
    type: "object",
    ...(isEmpty ? {} : { properties }),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

function hintsOf(isAct: boolean, isOpen: boolean): object {
  if (!isAct) return { annotations: { readOnlyHint: true, openWorldHint: isOpen } };
  return {
    annotations: {
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: false,
      openWorldHint: true,
    },
    _meta: { "anthropic/requiresUserInteraction": true },
  };
}

/** Limits above this only catch typing errors. */
const NO_LIMIT = 1_000_000_000;

function propertyOf(name: string, argument: Argument<unknown>): object {
  const { many, description } = argument;
  const shown = { description: firstSentence(description) };
  const one = typeOf(name, argument);
  return many ? { type: "array", items: one, ...shown } : { ...one, ...shown };
}

function typeOf(name: string, { kind, limits }: Argument<unknown>): object {
  const { choices, minimum, maximum = NO_LIMIT } = limits;
  const most = name === "timeout" ? LONGEST_WAIT_SECONDS : maximum;
  switch (kind) {
    case "flag":
      return { type: "boolean" };
    case "json":
      return { type: "object" };
    case "choice":
      return { type: "string", enum: choices };
    case "integer":
    case "number": {
      const bounds = { minimum, ...(most < NO_LIMIT ? { maximum: most } : {}) };
      return { type: kind, ...bounds };
    }
    default:
      return { type: "string" };
  }
}

/**
 * The first sentence, without the version that has the option: a list of tools is read with every
 * question, and the rest is in `describe`.
 */
function firstSentence(text: string): string {
  const first = /^.*?(\.(?= [A-Z]|$)|[:;](?= ))/.exec(text)?.[0] ?? text;
  return first.replace(/[:;]$/, ".").replace(/ \(V[12]\)\.$/, ".");
}

const LOOKUP =
  "Run one of the further reads. `options` are its options by name; `describe` shows them.";
const DESCRIBE =
  "Show options, result and errors of a command, such as 'users list'; 'requestData CREATE_TRANSACTION' shows a request's data, 'errors' every error.";

function lookupOf(commands: ReadonlyMap<string, Command>): Tool {
  const properties = {
    command: { type: "string", enum: [...commands.keys()] },
    options: { type: "object", description: "Options of that command." },
  };
  const inputSchema = schemaOf(properties, ["command"]);
  const definition = { name: "lookup", description: LOOKUP, inputSchema, ...hintsOf(false, true) };
  return {
    name: "lookup",
    isAct: false,
    definition,
    order(given) {
      const { command: name, options } = ownMembers(given, ["command", "options"]);
      const words = textOf(name) ?? "";
      const command = commands.get(words);
      if (command === undefined)
        throw invalid("command", `takes one of ${[...commands.keys()].join(", ")}`);
      if (options !== undefined && !options.text.startsWith("{"))
        throw invalid("options", "takes an object");
      return orderOf(words.split(" "), command, options);
    },
  };
}

function describeOf(root: Group): Tool {
  const schema = root.members.get("schema");
  if (schema?.kind !== "command") throw new Error("The registry has no schema.");
  const properties = { command: { type: "string" } };
  const inputSchema = schemaOf(properties, []);
  const hints = hintsOf(false, false);
  return {
    name: "describe",
    isAct: false,
    definition: { name: "describe", description: DESCRIBE, inputSchema, ...hints },
    order(given) {
      const { command } = ownMembers(given, ["command"]);
      const words = command === undefined ? "" : textOf(command);
      if (words === undefined) throw invalid("command", "takes text");
      checkValue("command", words === "" ? " " : words);
      const operands = words.split(" ").filter((word) => word !== "");
      return { words: ["schema"], command: schema, raw: new Map(), operands };
    },
  };
}

function ownMembers(
  given: Exact | undefined,
  names: readonly string[],
): Readonly<Record<string, Exact>> {
  const own = given === undefined ? [] : members(given);
  for (const [name] of own) if (!names.includes(name)) throw unknown(name, names);
  return Object.fromEntries(own);
}

function orderOf(words: readonly string[], command: Command, given: Exact | undefined): Order {
  const options = optionsOf(command);
  const raw: Raw = new Map();
  for (const [name, given_] of given === undefined ? [] : members(given)) {
    const argument = Object.hasOwn(options, name) ? options[name] : undefined;
    if (argument === undefined) throw unknown(name, Object.keys(options));
    const tokens = tokensOf(name, argument, given_);
    if (tokens.length > 0) raw.set(name, tokens);
  }
  if (Object.hasOwn(command.args, "sign")) raw.set("sign", [""]);
  if (Object.hasOwn(command.args, "timeout")) limitWait(raw);
  return { words, command, raw, operands: [] };
}

function limitWait(raw: Raw): void {
  const given = raw.get("timeout")?.[0];
  if (given === undefined) raw.set("timeout", [String(USUAL_WAIT_SECONDS)]);
  else if (Number(given) > LONGEST_WAIT_SECONDS)
    throw invalid("timeout", `takes at most ${LONGEST_WAIT_SECONDS} seconds here; call again`);
}

function tokensOf(name: string, argument: Argument<unknown>, given: Exact): string[] {
  if (!argument.many) return tokenOf(name, argument, given);
  if (!given.text.startsWith("[")) throw invalid(name, "takes a list");
  return elements(given).flatMap((one) => tokenOf(name, argument, one));
}

/** The value as the command line would spell it; nothing for a flag that is false. */
function tokenOf(name: string, { kind }: Argument<unknown>, given: Exact): string[] {
  const { text } = given;
  switch (kind) {
    case "flag":
      if (text === "true") return [""];
      if (text === "false") return [];
      throw invalid(name, "takes true or false");
    case "integer":
    case "number":
      if (!/^[-\d]/.test(text)) throw invalid(name, "takes a number");
      return [text];
    case "json":
      if (!text.startsWith("{")) throw invalid(name, "takes a JSON object");
      requireExactNumbers(name, tree(given));
      return [text];
    default: {
      const word = textOf(given);
      if (word === undefined) throw invalid(name, "takes text");
      checkValue(name, word);
      return [word];
    }
  }
}

/** A client may have rounded a number that a double does not hold exactly. */
function requireExactNumbers(name: string, node: Node): void {
  if (node.kind === "number") {
    const isExact = /^-?\d+$/.test(node.raw) && Number.isSafeInteger(Number(node.raw));
    if (!isExact)
      throw invalid(name, "has a number that is not whole, or beyond 2^53-1: give it as text");
  }
  const inner =
    node.kind === "object"
      ? node.members.map(([, child]) => child)
      : node.kind === "array"
        ? node.items
        : [];
  for (const child of inner) requireExactNumbers(name, child);
}

function invalid(name: string, reason: string): CliError {
  const field = `--${name}`;
  const hint = "Correct the argument; the tool's inputSchema shows what is accepted.";
  return new CliError("INVALID_ARGUMENT", { message: `${field} ${reason}.`, field, hint });
}

function unknown(name: string, names: readonly string[]): CliError {
  const guess = nearest(name, names);
  const word = wordOf(name);
  return new CliError("UNKNOWN_OPTION", {
    message: word === undefined ? "There is no such argument." : `There is no argument ${word}.`,
    hint: guess === undefined ? "See the tool's inputSchema." : `Did you mean '${guess}'?`,
    details: { arguments: names },
  });
}
