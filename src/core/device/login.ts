/**
 * Login with a device (device protocol §6). The session that was there stays until the new one is
 * complete.
 */
import { CliError } from "../../errors.ts";
import { type Exact, value } from "../../io/json.ts";
import type { Access } from "../api/access.ts";
import { Client } from "../api/client.ts";
import { FIELDS, LOGIN } from "../api/device.ts";
import { type ApiVersion, chooseVersion, dialectOf } from "../api/dialect.ts";
import { readTokens } from "../api/tokens.ts";
import { checkingVersion } from "../api/version.ts";
import type { LoginOptions } from "../auth/config.ts";
import { identify } from "../login/api.ts";
import { checkWorkspaceClaim, readClaims } from "../state/claims.ts";
import type { Session, TokenSet } from "../state/session.ts";
import { type LoginChallenge, ROLES, type Role } from "./apdu.ts";
import { fieldsOf, invalid, pick } from "./channel.ts";
import { type DeviceOptions, withVault } from "./reach.ts";
import type { DeviceHost } from "./transport.ts";

export interface DeviceLogin extends LoginOptions, DeviceOptions {
  readonly apiVersion: ApiVersion | undefined;
}

/**
 * Finds the device, has its person confirm the server's challenge, stores the session with the
 * device's public key. Throws the DEVICE_ codes, INVALID_RESPONSE, SESSION_MISMATCH, and the HTTP
 * and network codes; on each of them the session that was there is untouched.
 */
export async function loginWithDevice(
  access: Access,
  device: DeviceHost,
  request: DeviceLogin,
): Promise<Session> {
  const { endpoint, workspace } = access.config.target(request);
  const dialect = dialectOf(chooseVersion(endpoint, request.apiVersion));
  const client = new Client(endpoint, access.runtime);
  const headers = dialect.login.headers(workspace);
  const { publicKey, authentication } = await withVault(device, request, async (vault) => {
    const key = Buffer.from(await vault.publicKey())
      .toString("hex")
      .toUpperCase();
    const answer = await checkingVersion(
      { client, chosen: dialect.version, log: access.runtime.log },
      () => askChallenge(client, key, headers),
    );
    const challenge = readChallenge(answer, workspace);
    device.runtime.log.line("Device: check the login on the device and confirm it there.");
    return { publicKey: key, authentication: await vault.authenticate(challenge) };
  });
  const body = LOGIN.answerBody(authentication);
  const answer = await client.send({ method: "POST", path: LOGIN.answerPath, headers, body });
  const tokens = tokensOf(answer, access.runtime.now());
  checkWorkspaceClaim(tokens.access, workspace);
  requireOwnKey(tokens, publicKey);
  const user = { ...(await identify(access, client, dialect, { workspace, tokens })), publicKey };
  const session: Session = {
    version: 1,
    kind: "device",
    apiVersion: dialect.version,
    ...endpoint,
    workspace,
    tokens,
    user,
  };
  await access.sessions.replace(session);
  return session;
}

async function askChallenge(
  client: Client,
  publicKey: string,
  headers: Record<string, string>,
): Promise<Exact> {
  try {
    return await client.send({ method: "GET", path: LOGIN.challengePath(publicKey), headers });
  } catch (cause) {
    const status = cause instanceof CliError ? cause.facts.httpStatus : undefined;
    if (status !== 404 && status !== 405) throw cause;
    throw new CliError("DEVICE_LOGIN_UNSUPPORTED", {
      message: "The server offers no device login at the address that this program knows.",
      httpStatus: status,
      details: { path: LOGIN.challengePath("…") },
      cause,
    });
  }
}

/** What the device is asked to sign and to show. Throws DEVICE_NOT_REGISTERED, INVALID_RESPONSE. */
function readChallenge(answer: Exact, workspace: string): LoginChallenge {
  const fields = fieldsOf(value(answer), "challenge");
  const given = pick(fields, FIELDS.keyHandle);
  if (given === undefined || given === null || given === "") {
    throw new CliError("DEVICE_NOT_REGISTERED", {
      message: "The server does not know this device.",
    });
  }
  const challenge = bytesOf(pick(fields, FIELDS.challenge), "challenge");
  if (challenge.length !== 32) throw invalid("challenge");
  const keyHandle = bytesOf(given, "key_handle");
  if (keyHandle.length > 255) throw invalid("key_handle");
  return {
    challenge,
    keyHandle,
    role: roleOf(pick(fields, FIELDS.role)),
    name: nameOf(fields),
    workspace,
  };
}

function nameOf(fields: Readonly<Record<string, unknown>>): string {
  const name = pick(fields, FIELDS.name);
  if (typeof name !== "string" || !name.isWellFormed() || Buffer.byteLength(name) > 255)
    throw invalid("name");
  return name;
}

function roleOf(given: unknown): Role {
  const spelled = typeof given === "string" ? given.toLowerCase().replaceAll("_", " ") : "";
  const role = (Object.keys(ROLES) as Role[]).find((candidate) => candidate === spelled);
  if (role === undefined) throw invalid("role");
  return role;
}

/** Hexadecimal, or base64 in either alphabet. */
function bytesOf(given: unknown, field: string): Uint8Array {
  if (typeof given !== "string" || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(given)) throw invalid(field);
  const isHex = /^([0-9A-Fa-f]{2})+$/.test(given) && (field !== "challenge" || given.length === 64);
  return Buffer.from(given, isHex ? "hex" : "base64");
}

/** Tokens under the names of either API version. Throws INVALID_RESPONSE. */
function tokensOf(answer: Exact, receivedAt: number): TokenSet {
  const fields = value(answer);
  const isV1 =
    typeof fields === "object" && fields !== null && Object.hasOwn(fields, "access_token");
  return readTokens(fields, dialectOf(isV1 ? "v1" : "v2").login.names, receivedAt);
}

/**
 * A token that names another key would make every approval fail, or be somebody else's. Throws
 * DEVICE_MISMATCH.
 */
function requireOwnKey({ access }: TokenSet, publicKey: string): void {
  const claimed = readClaims(access).publicKey;
  if (claimed === undefined || claimed.toUpperCase() === publicKey) return;
  throw new CliError("DEVICE_MISMATCH", {
    message: "The server issued a token for another device; nothing was stored.",
    hint: "Tell the administrator of the workspace.",
  });
}
