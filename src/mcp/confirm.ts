/**
 * What a person is asked before something is created, signed or rejected, and whether the answer is
 * a yes. The question is ours: it is made of the decoded content, and has nothing that a model
 * wrote in it but what is signed or sent.
 */
import type { Intent } from "../core/acts.ts";
import type { Summary } from "../core/meaning/parts.ts";
import { CliError } from "../errors.ts";
import { type Exact, member, type Node, tree, visible } from "../io/json.ts";
import { textOf } from "./frames.ts";

/** How long a person has. */
export const CONFIRM_MS = 5 * 60_000;
/** Clients show no more of a question than this for certain. */
const QUESTION_MAX_CHARACTERS = 1500;
const NAME_MAX_CHARACTERS = 40;
const SHOWN_DIGITS = 16;

/** What a question is about. */
export interface Subject {
  readonly intent: Intent;
  /** Undefined for content that is not a JSON object. */
  readonly summary: Summary | undefined;
}

/** A question that is ready to be asked. */
export interface Asked {
  readonly message: string;
  /** What the person types; each of them is a yes. */
  readonly accepted: ReadonlySet<string>;
  /** What the field is for, in words. */
  readonly field: string;
}

/** `params` of elicitation/create. */
export function formOf({ message, field }: Asked): object {
  const confirm = { type: "string", title: "Confirmation", description: field };
  const requestedSchema = { type: "object", properties: { confirm }, required: ["confirm"] };
  return { message, requestedSchema };
}

/** The question about an act. Throws CONFIRMATION_UNAVAILABLE when it is too long to be shown. */
export function questionOf(subject: Subject): Asked {
  const typed = typedOf(subject);
  const lines = [...linesOf(subject), ...contextOf(subject), typed.demand];
  const message = lines.map(visible).join("\n");
  if ([...message].length > QUESTION_MAX_CHARACTERS)
    throw unavailable(subject.intent, "The content is too long to be shown in a question.");
  return { message, accepted: typed.accepted, field: visible(typed.demand) };
}

/** The failure of a question that cannot be asked; it names the command line of a person. */
export function unavailable(intent: Intent, message: string): CliError {
  const { kind, requestId = "REQUEST_ID" } = intent;
  const id = /^[A-Za-z0-9._~-]{1,128}$/.test(requestId) ? requestId : "REQUEST_ID";
  const command =
    kind === "create"
      ? "requests create --requestData @request.json"
      : intent.kind === "sign" && intent.purpose === "reject"
        ? `requests reject api --id ${id}`
        : `requests approve api --id ${id} --sign`;
  return new CliError("CONFIRMATION_UNAVAILABLE", {
    message: `${message} Nothing was sent.`,
    hint: `Have a person run 'ledger-enterprise-cli ${command}' in a terminal.`,
  });
}

/** What a person types: the amount; without one the request's id, or a new request's type. */
function typedOf({ intent, summary }: Subject): {
  readonly demand: string;
  readonly accepted: ReadonlySet<string>;
} {
  const amount = summary?.amount;
  if (amount != null && /^[1-9]\d*$/.test(amount.base)) {
    const { base, decimal, text } = amount;
    const accepted = new Set([base, decimal, text].filter((one) => one !== null));
    return { demand: `To agree, type the amount: ${decimal ?? base}`, accepted };
  }
  if (intent.kind === "create") {
    const type = textOf(intent.body && typeIn(intent.body));
    if (type === undefined) throw new Error("A request without a type was about to be sent.");
    return { demand: `To agree, type the request's type: ${type}`, accepted: new Set([type]) };
  }
  const { requestId } = intent;
  if (requestId === undefined) throw new Error("A challenge without a request was to be signed.");
  return {
    demand: `To agree, type the request's id: ${requestId}`,
    accepted: new Set([requestId]),
  };
}

function typeIn(body: Exact): Exact | undefined {
  const inner = member(body, "request");
  return member(inner?.text.startsWith("{") === true ? inner : body, "type") ?? undefined;
}

/** Amount, recipient, fee ceiling, account, for a payment; every value of anything else. */
function linesOf({ intent, summary }: Subject): string[] {
  const isPayment =
    summary?.complete === true &&
    summary.amount !== null &&
    summary.recipient !== null &&
    summary.call === null &&
    summary.message === null;
  if (!isPayment) {
    const document = intent.kind === "create" ? intent.body : intent.content?.document;
    if (document === undefined) throw unavailable(intent, "The content is not a JSON object.");
    return leavesOf(withoutNote(tree(document)), "");
  }
  const { amount, recipient, fee, account, network } = summary;
  const beside = [
    recipient?.tag == null ? [] : [`Destination tag: ${recipient.tag}`],
    recipient?.memo == null ? [] : [`Memo: ${JSON.stringify(recipient.memo)}`],
  ].flat();
  return [
    `Amount: ${measured(amount)}${tokenOf(amount)}`,
    `To: ${recipient?.address}`,
    ...beside,
    ...(fee === null ? [] : [`Fee at most: ${measured(fee)}`]),
    `From account: ${named(account?.name)}${account?.id == null ? "" : ` (${account.id})`}`,
    ...(network === null ? [] : [`Network: ${network.id}${network.testnet ? " (testnet)" : ""}`]),
    ...(recipient === null ? [] : [knownAs(recipient)]),
    ...summary.others.map(({ name, value }) => `${name}: ${named(value)}`),
  ];
}

const MOST_NAMES = 2;

/** Under which names the whitelists have the recipient. */
function knownAs(recipient: NonNullable<Summary["recipient"]>): string {
  const { whitelists, whitelistsRead, otherTags: [other] = [] } = recipient;
  const names = whitelists.slice(0, MOST_NAMES).map(({ name, entry, status }) => {
    const state = status === undefined ? "" : ` (${named(status)})`;
    return `entry ${named(entry)} of whitelist ${named(name)}${state}`;
  });
  if (names.length > 0) return `The recipient is ${names.join("; ")}`;
  if (other !== undefined) {
    const { name, entry, tags } = other;
    const listed = `entry ${named(entry)} of whitelist ${named(name)}`;
    return `The recipient is listed with another tag only: ${listed}, tag ${named(tags.join(" or "))}`;
  }
  return whitelistsRead === "all"
    ? "The recipient is not on any whitelist"
    : "The recipient is not on a whitelist that could be read";
}

/** The unit of a token is nothing but the server's word. */
function tokenOf(amount: Summary["amount"]): string {
  if (amount?.contract == null) return "";
  return ` of token ${amount.contract}${amount.text === null ? "" : " (unit by the server)"}`;
}

type Amount = { readonly base: string; readonly text: string | null } | null;

function measured(amount: Amount): string {
  const { base = "", text = null } = amount ?? {};
  return text === null ? `${base} base units` : `${text} (${base} base units)`;
}

/** A foreign name: quoted, and cut. */
function named(name: string | null | undefined): string {
  if (name == null) return "unknown";
  const characters = [...name];
  const isLong = characters.length > NAME_MAX_CHARACTERS;
  return JSON.stringify(isLong ? `${characters.slice(0, NAME_MAX_CHARACTERS).join("")}…` : name);
}

function withoutNote(node: Node): Node {
  if (node.kind !== "object") return node;
  const members = node.members
    .filter(([name]) => name !== "note")
    .map(([name, child]) => [name, name === "request" ? withoutNote(child) : child] as const);
  return { ...node, members };
}

function leavesOf(node: Node, path: string): string[] {
  const below = (step: string): string => (path === "" ? step : `${path}.${step}`);
  const spelled = (name: string): string => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name));
  if (node.kind === "object" && node.members.length > 0)
    return node.members.flatMap(([name, child]) => leavesOf(child, below(spelled(name))));
  if (node.kind === "array" && node.items.length > 0)
    return node.items.flatMap((item, at) => leavesOf(item, below(String(at))));
  return [`${path}: ${spelledValue(node)}`];
}

function spelledValue(node: Node): string {
  switch (node.kind) {
    case "string":
      return JSON.stringify(node.value);
    case "number":
      return node.raw;
    case "boolean":
      return String(node.value);
    case "object":
      return "{}";
    case "array":
      return "[]";
    default:
      return "null";
  }
}

/** What the act is, where, as whom, and fields without evidence. */
function contextOf({ intent, summary }: Subject): string[] {
  const { session, requestId } = intent;
  const what =
    intent.kind === "create"
      ? `This creates a request of type ${textOf(intent.body && typeIn(intent.body)) ?? "unknown"}`
      : `This signs and ${intent.kind === "sign" && intent.purpose === "reject" ? "rejects" : "approves"} request ${requestId}`;
  const of = summary?.action == null ? "" : ` (${summary.action})`;
  const operator = named(session?.user?.name ?? session?.user?.id);
  const open = intent.kind === "sign" ? (intent.unverified ?? []) : [];
  const grave = summary?.warnings.filter((one) => one.grave) ?? [];
  const digest = intent.content?.payloadSha256.slice(0, SHOWN_DIGITS);
  return [
    `${what}${of} in workspace ${named(session?.workspace)} as ${operator}.`,
    ...(open.length === 0 ? [] : [`NOT VERIFIED: ${open.join(", ")}`]),
    ...grave.map(({ message }) => `WARNING: ${message}`),
    ...(digest === undefined ? [] : [`SHA-256 of the payload begins with ${digest}`]),
  ];
}

/**
 * Returns when the answer is a yes. Throws CONFIRMATION_DECLINED, and CONFIRMATION_MISMATCH for an
 * `accept` that does not have the value in it: clients and hooks accept forms by themselves.
 */
export function requireYes(answer: Exact | undefined, { accepted }: Asked): void {
  const action = textOf(answer && member(answer, "action"));
  if (action !== "accept") {
    throw new CliError("CONFIRMATION_DECLINED", {
      message: "The person did not agree; nothing was sent.",
    });
  }
  const content = answer && member(answer, "content");
  const typed = textOf(content && member(content, "confirm"))?.trim();
  if (typed !== undefined && accepted.has(typed)) return;
  throw new CliError("CONFIRMATION_MISMATCH", {
    message: "The typed value is not the one that the question shows; nothing was sent.",
  });
}

/** The failure of a question that was not answered in time, or of a state that is not valid. */
export function expired(message: string): CliError {
  return new CliError("CONFIRMATION_EXPIRED", { message: `${message} Nothing was sent.` });
}
