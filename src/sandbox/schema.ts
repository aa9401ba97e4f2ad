/**
 * Input checks of the sandbox, with the type of what passes, and the refusal that every layer
 * throws.
 */
import { type Json, JsonNumber, type JsonObject } from "./json.ts";

/** Returns a sentence for each fault; none means that the value, made plain, is a T. */
export interface Check<T = unknown> {
  (value: Json, at: string): string[];
  /** The value without the names that the check does not know. Absent: it has no names. */
  prune?(value: Json): Json;
  readonly type?: T;
}
export type Checks = Readonly<Record<string, Check>>;
/** What a check lets through. */
export type Of<C> = C extends Check<infer T> ? T : never;
type Fields<R extends Checks, O extends Checks> = { [K in keyof R]: Of<R[K]> } & {
  [K in keyof O]?: Of<O[K]>;
};

/**
 * A refusal in no dialect: each version of the API says it in its own body. `issues` name what
 * was wrong with the input.
 */
export class Refusal extends Error {
  readonly status: 400 | 401 | 403 | 404 | 413 | 415 | 500;
  readonly issues: readonly string[];
  constructor(status: Refusal["status"], message: string, issues: readonly string[] = []) {
    super(message);
    this.status = status;
    this.issues = issues;
  }
}

/** The documented 400. */
export function invalid(...issues: readonly string[]): Refusal {
  return new Refusal(400, "Input validation failed", issues);
}

/** Throws Refusal 400 when `check` finds anything. */
export function insist(check: Check, value: Json, at: string): void {
  const issues = check(value, at);
  if (issues.length > 0) throw invalid(...issues);
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (value instanceof JsonNumber) return "number";
  if (value instanceof Map) return "object";
  return Array.isArray(value) ? "array" : typeof value;
}

function kind<T>(name: string): Check<T> {
  return (value, at) =>
    kindOf(value) === name
      ? []
      : [`Invalid input at ${at}: expected ${name}, received ${kindOf(value)}`];
}

/** `check`, and `fits` for what passes it. */
function also<T>(check: Check<T>, what: string, fits: (value: Json) => boolean): Check<T> {
  return (value, at) => {
    const issues = check(value, at);
    return issues.length > 0 || fits(value) ? issues : [`Invalid input at ${at}: expected ${what}`];
  };
}

export const anything: Check = () => [];
export const flag = kind<boolean>("boolean");
export const object = kind<Record<string, unknown>>("object");

/** A string, of `pattern` when given; `what` says the pattern in words. */
export function text(pattern = /(?:)/, what = "text of the documented form"): Check<string> {
  return also(kind<string>("string"), what, (value) => pattern.test(value as string));
}

export function choice<T extends string>(...allowed: readonly T[]): Check<T> {
  return also(kind<T>("string"), `one of ${allowed.join(", ")}`, (value) =>
    allowed.includes(value as T),
  );
}

/** A JSON number, whole unless `isFraction`. */
export function number(min: number, max: number, isFraction = false): Check<number> {
  return also(kind<number>("number"), `a number from ${min} to ${max}`, (value) => {
    const { token } = value as JsonNumber;
    return Number(token) >= min && Number(token) <= max && (isFraction || /^-?\d+$/.test(token));
  });
}

/** Query values are text: a whole number in plain digits. */
export function digits(min: number, max: number): Check<string> {
  const fits = (value: Json) =>
    /^(0|[1-9]\d*)$/.test(value as string) && Number(value) >= min && Number(value) <= max;
  return also(kind<string>("string"), `an integer from ${min} to ${max}`, fits);
}

export function nullable<T>(check: Check<T>): Check<T | null> {
  const own: Check<T | null> = (value, at) => (value === null ? [] : check(value, at));
  return pruning(own, check.prune);
}

export function list<T>(item: Check<T>): Check<T[]> {
  const own: Check<T[]> = (value, at) =>
    Array.isArray(value)
      ? value.flatMap((one: Json, n) => item(one, `${at}[${n}]`))
      : kind("array")(value, at);
  return pruning(own, (value) =>
    Array.isArray(value) ? value.map((one: Json) => item.prune?.(one) ?? one) : value,
  );
}

function pruning<T>(check: Check<T>, prune: Check["prune"]): Check<T> {
  return prune === undefined ? check : Object.assign(check, { prune });
}

/** An object with any names, each value of one kind. */
export function mapOf<T>(item: Check<T>): Check<Record<string, T>> {
  return (value, at) =>
    value instanceof Map
      ? [...(value as JsonObject)].flatMap(([name, one]) => item(one, `${at}.${name}`))
      : object(value, at);
}

/** An object. Names in neither table are refused unless `isOpen`. */
export function record<R extends Checks, O extends Checks = Record<never, Check>>(
  required: R,
  optional?: O,
  isOpen = false,
): Check<Fields<R, O>> {
  const own: Check<Fields<R, O>> = (value, at) => {
    if (!(value instanceof Map)) return object(value, at);
    const given = value as JsonObject;
    const missing = Object.keys(required).filter((name) => !given.has(name));
    const issues = missing.map((name) => `Invalid input at ${at}.${name}: required`);
    for (const [name, member] of given) {
      const check = checkOf(required, name) ?? checkOf(optional ?? {}, name);
      if (check !== undefined) issues.push(...check(member, `${at}.${name}`));
      else if (!isOpen) issues.push(`Unrecognized key at ${at}: ${JSON.stringify(name)}`);
    }
    return issues;
  };
  return pruning(own, (value) => {
    if (!(value instanceof Map)) return value;
    const kept = [...(value as JsonObject)].flatMap(([name, member]): [string, Json][] => {
      const check = checkOf(required, name) ?? checkOf(optional ?? {}, name);
      if (check === undefined && !isOpen) return [];
      return [[name, check?.prune?.(member) ?? member]];
    });
    return new Map(kept);
  });
}

/** The value without any member, at any depth, that has one of these names. */
export function without(value: Json, names: ReadonlySet<string>): Json {
  if (Array.isArray(value)) return value.map((one: Json) => without(one, names));
  if (!(value instanceof Map)) return value;
  const kept = [...(value as JsonObject)].filter(([name]) => !names.has(name));
  return new Map(kept.map(([name, member]) => [name, without(member, names)]));
}

export function checkOf(checks: Checks, name: string): Check | undefined {
  return Object.hasOwn(checks, name) ? checks[name] : undefined;
}
