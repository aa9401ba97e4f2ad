/** Input checks of the sandbox, and the refusal that every layer throws. A check gives sentences; none means valid. */
import { type Json, JsonNumber, type JsonObject } from "./json.ts";

export type Check = (value: Json, at: string) => string[];
export type Checks = Readonly<Record<string, Check>>;

/** A refusal in no dialect: v1.ts and v2.ts say it in their own body. `issues` name what was wrong with the input. */
export class Refusal extends Error {
  readonly status: 400 | 401 | 403 | 404 | 413;
  readonly issues: readonly string[];
  constructor(status: Refusal["status"], message: string, issues: readonly string[] = []) {
    super(message);
    this.status = status;
    this.issues = issues;
  }
}

/** Throws the documented 400 when `check` finds anything. */
export function insist(check: Check, value: Json, at: string): void {
  const issues = check(value, at);
  if (issues.length > 0) throw new Refusal(400, "Input validation failed", issues);
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (value instanceof JsonNumber) return "number";
  if (value instanceof Map) return "object";
  return Array.isArray(value) ? "array" : typeof value;
}

function expected(what: string, value: Json, at: string): string[] {
  return [`Invalid input at ${at}: expected ${what}, received ${kindOf(value)}`];
}

export const anything: Check = () => [];
export const flag: Check = (value, at) => (typeof value === "boolean" ? [] : expected("boolean", value, at));
export const object: Check = (value, at) => (value instanceof Map ? [] : expected("object", value, at));

/** A string, of `pattern` when given; `what` says the pattern in words. */
export function text(pattern?: RegExp, what = "string of the documented form"): Check {
  return (value, at) => {
    if (typeof value !== "string") return expected("string", value, at);
    return pattern === undefined || pattern.test(value) ? [] : [`Invalid input at ${at}: expected ${what}`];
  };
}

export function choice(...allowed: readonly string[]): Check {
  return (value, at) =>
    typeof value === "string" && allowed.includes(value)
      ? []
      : [`Invalid input at ${at}: expected one of ${allowed.join(", ")}`];
}

/** A JSON number, whole unless `fraction`. */
export function number(min: number, max: number, fraction = false): Check {
  return (value, at) => {
    if (!(value instanceof JsonNumber)) return expected("number", value, at);
    const given = Number(value.token);
    const fits = given >= min && given <= max && (fraction || /^-?\d+$/.test(value.token));
    return fits ? [] : [`Invalid input at ${at}: expected a number from ${min} to ${max}`];
  };
}

export function nullable(check: Check): Check {
  return (value, at) => (value === null ? [] : check(value, at));
}

export function list(item: Check): Check {
  return (value, at) =>
    Array.isArray(value)
      ? value.flatMap((one: Json, index) => item(one, `${at}[${index}]`))
      : expected("array", value, at);
}

/** An object with any names, each value of one kind. */
export function mapOf(item: Check): Check {
  return (value, at) =>
    value instanceof Map
      ? [...(value as JsonObject)].flatMap(([name, one]) => item(one, `${at}.${name}`))
      : expected("object", value, at);
}

/** An object. Names in neither table are refused unless `open`. */
export function record(required: Checks, optional: Checks = {}, open = false): Check {
  return (value, at) => {
    if (!(value instanceof Map)) return expected("object", value, at);
    const given = value as JsonObject;
    const missing = Object.keys(required).filter((name) => !given.has(name));
    const issues = missing.map((name) => `Invalid input at ${at}.${name}: required`);
    for (const [name, member] of given) {
      const check = ownCheck(required, name) ?? ownCheck(optional, name);
      if (check !== undefined) issues.push(...check(member, `${at}.${name}`));
      else if (!open) issues.push(`Unrecognized key at ${at}: ${JSON.stringify(name)}`);
    }
    return issues;
  };
}

export function ownCheck(checks: Checks, name: string): Check | undefined {
  return Object.hasOwn(checks, name) ? checks[name] : undefined;
}

/** Query values are text: a whole number written in plain digits. */
export function digits(min: number, max: number): Check {
  return (value, at) => {
    const fits =
      typeof value === "string" && /^(0|[1-9]\d*)$/.test(value) && Number(value) >= min && Number(value) <= max;
    return fits ? [] : [`Invalid input at ${at}: expected an integer from ${min} to ${max}`];
  };
}
