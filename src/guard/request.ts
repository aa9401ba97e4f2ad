/**
 * What a client can ask a guard for. Only the guard loads it: a client needs the types, and the
 * schema takes longer to make than the client to ask.
 */
import * as v from "valibot";
import { CliError } from "../errors.ts";
import { incompatible, Key, REQUEST_MAX_BYTES, readLine, WIRE_VERSION } from "./wire.ts";

const Id = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const Digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Parameter = v.union([v.string(), v.number(), v.boolean(), v.array(v.string())]);
const Pair = v.strictTuple([v.string(), v.string()]);
const frame = {
  v: v.literal(WIRE_VERSION),
  length: v.pipe(v.number(), v.integer(), v.minValue(0)),
};
const decided = {
  ...frame,
  id: Id,
  dryRun: v.boolean(),
  sha256: v.optional(Digest),
  again: v.optional(Key),
};

/** The first line of a request, by its verb. */
const Request = v.variant("verb", [
  v.strictObject({
    ...frame,
    verb: v.literal("status"),
    session: v.boolean(),
    needs: v.optional(v.string()),
  }),
  v.strictObject({
    ...frame,
    verb: v.literal("read"),
    operation: v.string(),
    parameters: v.record(v.string(), Parameter),
  }),
  v.strictObject({
    ...frame,
    verb: v.literal("read"),
    path: v.string(),
    query: v.array(Pair),
  }),
  v.strictObject({
    ...frame,
    verb: v.literal("review"),
    id: Id,
    ask: v.picklist(["challenge", "review"]),
    noSummary: v.boolean(),
  }),
  v.strictObject({
    ...frame,
    verb: v.literal("create"),
    coin: v.optional(v.literal("sui")),
    tag: v.boolean(),
    again: v.optional(Key),
    dryRun: v.boolean(),
    noSummary: v.boolean(),
  }),
  v.strictObject({ ...decided, verb: v.literal("approve") }),
  v.strictObject({ ...decided, verb: v.literal("reject") }),
  v.strictObject({ ...frame, verb: v.literal("reconcile"), key: v.optional(Key) }),
  v.strictObject({ ...frame, verb: v.literal("journal") }),
  v.strictObject({
    ...frame,
    verb: v.literal("policy"),
    ask: v.picklist(["show", "request", "challenge"]),
  }),
  v.strictObject({
    ...frame,
    verb: v.literal("audit"),
    ask: v.picklist(["lines", "verify", "anchor"]),
    against: v.optional(v.string()),
  }),
]);

/** A request's first line. */
export type Request = v.InferOutput<typeof Request>;
/** What a client can ask for. */
export type Verb = Request["verb"];
/** A request before its length is known. */
export type Asked = Request extends infer R
  ? R extends Request
    ? Omit<R, "v" | "length">
    : never
  : never;

/** Reads a request's first line. Throws GUARD_INCOMPATIBLE, PAYLOAD_TOO_LARGE. */
export function parseRequest(line: Uint8Array): Request {
  const parsed = v.safeParse(Request, readLine(line));
  if (!parsed.success) throw incompatible();
  if (parsed.output.length > REQUEST_MAX_BYTES)
    throw new CliError("PAYLOAD_TOO_LARGE", { message: "The document has more than 1 MiB." });
  return parsed.output;
}
