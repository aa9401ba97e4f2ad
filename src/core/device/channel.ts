/**
 * The secure channel between the server's security module and the device, as the server hands it
 * out (device protocol §7).
 */
import { CliError } from "../../errors.ts";
import { type Exact, exact, JsonError, value } from "../../io/json.ts";
import { FIELDS } from "../api/device.ts";

/** All that the device needs to show a request; lengths are checked. */
export interface Channel {
  readonly ephemeralPublicKey: Uint8Array;
  readonly attestationPublicKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly certificate: Uint8Array;
  /** In the older form one operation takes the place of the actions. */
  readonly shown: { readonly actions: readonly Uint8Array[] } | { readonly operation: Uint8Array };
}

type Fields = Readonly<Record<string, unknown>>;

const KEY = /^04[0-9A-Fa-f]{128}$/;
const LONGEST_PART = 255;
const LONGEST_ACTION = 0xffff;
const MOST_ACTIONS = 0xffff;

/**
 * The channel for the device with this public key (130 hexadecimal digits), out of a map by public
 * key in either case or a single channel, each as it is or under `challenge`, there also as
 * base64url JSON. Throws REQUEST_CLOSED, DEVICE_NOT_A_REVIEWER, WRONG_SESSION_KIND,
 * INVALID_RESPONSE.
 */
export function channelFor(answer: Exact, publicKey: string): Channel {
  const found = unwrap(value(answer), 2);
  if (has(found, FIELDS.ephemeralPublicKey)) return readChannel(found);
  const names = Object.keys(found).filter((name) => name !== "success");
  if (names.length === 0) {
    throw new CliError("REQUEST_CLOSED", {
      message: "The request was already approved or rejected; nothing was shown.",
    });
  }
  const keys = names.filter((name) => KEY.test(name));
  if (keys.length === 0) throw invalid("challenge");
  const own = keys.filter((name) => name.toUpperCase() === publicKey.toUpperCase());
  const [name] = own;
  if (name === undefined) {
    throw new CliError("DEVICE_NOT_A_REVIEWER", {
      message:
        "The server has no channel for this device: its user is not asked to review this request now.",
    });
  }
  if (own.length > 1) throw invalid("challenge");
  return readChannel(fieldsOf(found[name], "challenge"));
}

function unwrap(answer: unknown, depth: number): Fields {
  const fields = fieldsOf(answer, "challenge");
  if (fields.challengeType === "API") {
    throw new CliError("WRONG_SESSION_KIND", {
      message: "The server sees an API operator behind this session, not the user of a device.",
      hint: "Use 'requests approve api', or log in with 'login device' first.",
    });
  }
  if (depth === 0 || !Object.hasOwn(fields, "challenge")) return fields;
  const { challenge } = fields;
  return unwrap(typeof challenge === "string" ? parsed(challenge) : challenge, depth - 1);
}

function parsed(text: string): unknown {
  try {
    return value(exact(Buffer.from(text, "base64url").toString("utf8")));
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw invalid("challenge");
  }
}

function readChannel(fields: Fields): Channel {
  const certificate = fieldsOf(pick(fields, FIELDS.certificate), FIELDS.certificate[0]);
  return {
    ephemeralPublicKey: point(fields, FIELDS.ephemeralPublicKey),
    attestationPublicKey: point(certificate, FIELDS.attestationPublicKey),
    signature: bytes(pick(certificate, FIELDS.signature), FIELDS.signature[0], LONGEST_PART),
    certificate: bytes(
      pick(certificate, FIELDS.attestedCertificate),
      FIELDS.attestedCertificate[0],
      LONGEST_PART,
    ),
    shown: readShown(fields),
  };
}

function readShown(fields: Fields): Channel["shown"] {
  const actions = pick(fields, FIELDS.actions);
  if (actions === undefined || actions === null)
    return {
      operation: bytes(pick(fields, FIELDS.operation), FIELDS.operation[0], LONGEST_ACTION),
    };
  const [field] = FIELDS.actions;
  if (!Array.isArray(actions) || actions.length === 0 || actions.length > MOST_ACTIONS)
    throw invalid(field);
  return { actions: actions.map((action: unknown) => bytes(action, field, LONGEST_ACTION)) };
}

/** 65 bytes, hexadecimal in the one place and base64 in the other. */
function point(fields: Fields, names: readonly string[]): Uint8Array {
  const given = pick(fields, names);
  const field = names[0] ?? "";
  const found =
    typeof given === "string" && KEY.test(given)
      ? Buffer.from(given, "hex")
      : bytes(given, field, LONGEST_PART);
  if (found.length !== 65 || found[0] !== 4) throw invalid(field);
  return found;
}

/** Base64 in either alphabet, not empty. */
function bytes(given: unknown, field: string, most: number): Uint8Array {
  if (typeof given !== "string" || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(given)) throw invalid(field);
  const found = Buffer.from(given, "base64");
  if (found.length === 0 || found.length > most) throw invalid(field);
  return found;
}

/** The field under any of its names. */
export function pick(fields: Fields, names: readonly string[]): unknown {
  const name = names.find((candidate) => Object.hasOwn(fields, candidate));
  return name === undefined ? undefined : fields[name];
}

function has(fields: Fields, names: readonly string[]): boolean {
  return names.some((name) => Object.hasOwn(fields, name));
}

export function fieldsOf(given: unknown, field: string): Fields {
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return given as Fields;
  throw invalid(field);
}

/** The server's answer cannot be used; nothing has been shown on the device. */
export function invalid(field: string): CliError {
  return new CliError("INVALID_RESPONSE", {
    message: `The server's answer has no usable '${field}' for the device; nothing was shown on it.`,
    field,
  });
}
