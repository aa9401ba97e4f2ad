/**
 * The server's side of a device's login and approval, after the older web client (its paths are in
 * no public document of the current server). Login: a U2F authentication over a challenge that
 * works once. Approval: a secure channel per device, in the form that is keyed by public key, and a
 * signature over what it carried. What a real approval signature covers is not public; here it is
 * SHA-256 over the actions, one after the other, signed on secp256k1. This file knows nothing of
 * the client's.
 */
import { createHash, verify } from "node:crypto";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { pendingReviews } from "./governance.ts";
import { encodeJson, type Json, textAt } from "./json.ts";
import { publicKeyOf } from "./keys.ts";
import type { Call, Route, World } from "./routes.ts";
import { Refusal, record, text } from "./schema.ts";
import type { TokenPair } from "./sessions.ts";
import type { Random, User, VaultRequest } from "./workspace.ts";

const APPLICATION_ID = Buffer.from(
  "ad5be1a1fe011ce7f53ae081a22ae000a42021f3f94106a3bac9f76e8230e4b9",
  "hex",
);
const CHALLENGE_LIFE_MS = 5 * 60_000;
const PRESENT = 1;

interface LoginChallenge {
  readonly user: User;
  readonly bytes: Buffer;
  readonly expiresAt: number;
}

/** A channel as it was handed out: what a signature has to be over. */
interface Issued {
  readonly actions: readonly Buffer[];
}

export class Devices {
  readonly #random: Random;
  readonly #clock: () => number;
  readonly #logins = new Map<string, LoginChallenge>();
  readonly #counters = new Map<string, number>();
  readonly #channels = new Map<string, Issued>();
  #module: { readonly secret: Uint8Array; readonly point: Uint8Array } | undefined;

  constructor(random: Random, clock: () => number) {
    this.#random = random;
    this.#clock = clock;
  }

  /** The challenge for a device's key; without a key handle for one that no user here owns. */
  askLogin({ workspace }: World, publicKey: string): object {
    const user = [...workspace.users.values()].find(
      (one) => isSameKey(one.pubKey, publicKey) && one.status === "ACTIVE",
    );
    const bytes = Buffer.from(this.#random(32));
    const challenge = bytes.toString("base64");
    if (user?.device === undefined) return { challenge };
    this.#logins.set(user.id, { user, bytes, expiresAt: this.#clock() + CHALLENGE_LIFE_MS });
    return { challenge, key_handle: user.device.keyHandle, role: user.role, name: user.name };
  }

  /**
   * The user whose device signed an open challenge, which is thereby spent. Throws Refusal 400,
   * 401.
   */
  login(authentication: string): User {
    const body = Buffer.from(authentication, "hex");
    const [head, counter] = [body.subarray(0, 5), body.length < 5 ? 0 : body.readUInt32BE(1)];
    if (body.length < 7 || head[0] !== PRESENT)
      throw wrong("The authentication has no user presence, counter and signature");
    for (const [id, { user, bytes, expiresAt }] of this.#logins) {
      const signed = Buffer.concat([APPLICATION_ID, head, bytes]);
      if (this.#clock() >= expiresAt || !isSignedOnP256(user.pubKey, signed, body.subarray(5)))
        continue;
      if (counter <= (this.#counters.get(id) ?? 0))
        throw new Refusal(401, "The device's counter went back");
      this.#logins.delete(id);
      this.#counters.set(id, counter);
      return user;
    }
    throw new Refusal(401, "The authentication does not verify with an open challenge");
  }

  /**
   * Channels by public key for all devices that the request waits for now; empty but for `success`
   * when it does not wait for a person.
   */
  channels({ workspace }: World, request: VaultRequest): object {
    if (request.state !== "PENDING_APPROVAL") return { success: true };
    const users = pendingReviews(request).flatMap(
      ({ userId }) => workspace.users.get(userId) ?? [],
    );
    const owners = users.filter((user) => user.device !== undefined && user.pubKey !== "");
    // An object without a channel would say that the request is closed.
    const noUser = { [`04${"00".repeat(64)}`]: this.#channel([Buffer.from([0])]) };
    const entries = owners.map((user): [string, object] => {
      const actions = actionsOf(request, Buffer.from(this.#random(32)));
      this.#channels.set(`${request.id} ${user.id}`, { actions });
      return [user.pubKey.toUpperCase(), this.#channel(actions)];
    });
    return entries.length === 0 ? noUser : Object.fromEntries(entries);
  }

  /**
   * Accepts a signature over the newest channel of this request for this user, and voids it. Throws
   * Refusal 400.
   */
  spend(request: VaultRequest, user: User, signature: string): void {
    const key = `${request.id} ${user.id}`;
    const issued = this.#channels.get(key);
    if (issued === undefined || user.device === undefined)
      throw wrong("No channel of this request is open for this user's device");
    const { validationKey } = user.device;
    if (
      !isSignedOnK1(validationKey, Buffer.concat(issued.actions), Buffer.from(signature, "base64"))
    )
      throw wrong("The signature does not verify with the device's validation key");
    this.#channels.delete(key);
  }

  /**
   * One channel; the module's key and its attestation are made up, the signatures over them are
   * not.
   */
  #channel(actions: readonly Buffer[]): object {
    this.#module ??= keyPair(this.#random);
    const ephemeral = keyPair(this.#random);
    const codeHash = createHash("sha256").update("sandbox").digest();
    const sign = (...parts: readonly Uint8Array[]): string =>
      Buffer.from(
        secp256k1.sign(Buffer.concat(parts), this.#module?.secret ?? ephemeral.secret, {
          format: "der",
        }),
      ).toString("base64");
    return {
      ephemeral_public_key: Buffer.from(ephemeral.point).toString("hex"),
      certificate: {
        code_hash: codeHash.toString("base64"),
        attestation_pub: Buffer.from(this.#module.point).toString("base64"),
        certificate: sign(codeHash, this.#module.point),
        signature: sign(ephemeral.point),
      },
      blob: Buffer.concat(actions).toString("base64"),
      w_actions: actions.map((action) => action.toString("base64")),
    };
  }
}

function keyPair(random: Random): { secret: Uint8Array; point: Uint8Array } {
  const { secretKey } = secp256k1.keygen(random(48));
  return { secret: secretKey, point: secp256k1.getPublicKey(secretKey, false) };
}

/** What the device shows, one screen after the other; a real server enciphers this. */
function actionsOf({ type, id, data, note }: VaultRequest, antireplay: Buffer): Buffer[] {
  const screens: readonly Json[] = [
    new Map<string, Json>([
      ["type", type],
      ["id", id],
    ]),
    new Map<string, Json>([
      ["data", data],
      ["note", note ?? null],
    ]),
    new Map<string, Json>([["antireplay", antireplay.toString("hex")]]),
  ];
  return screens.map((screen) => Buffer.from(encodeJson(screen)));
}

function isSameKey(registered: string, given: string): boolean {
  return registered !== "" && registered.toUpperCase() === given;
}

function isSignedOnP256(point: string, message: Buffer, signature: Buffer): boolean {
  try {
    return verify("sha256", message, { key: publicKeyOf(point), dsaEncoding: "der" }, signature);
  } catch {
    return false;
  }
}

function isSignedOnK1(point: string, message: Buffer, signature: Buffer): boolean {
  try {
    return secp256k1.verify(signature, message, Buffer.from(point, "hex"), {
      format: "der",
      lowS: false,
    });
  } catch {
    return false;
  }
}

function wrong(issue: string): Refusal {
  return new Refusal(400, "The device's answer was refused", [issue]);
}

/** The calls of a login, for either API version; `show` writes its tokens. */
export function loginRoutes(show: (world: World, tokens: TokenPair) => unknown): Route[] {
  return [
    {
      method: "GET",
      path: "/u2f/authentications/{publicKey}/challenge",
      open: (world, _body, _headers, { publicKey = "" }) => {
        if (!/^04[0-9A-F]{128}$/.test(publicKey))
          throw wrong("path.publicKey: 130 upper-case hexadecimal digits");
        return world.devices.askLogin(world, publicKey);
      },
    },
    {
      method: "POST",
      path: "/u2f/authentications/authenticate",
      body: record({ authentication: text(/^(?:[0-9a-f]{2})+$/, "lower-case hexadecimal bytes") }),
      open: (world, body) => {
        const user = world.devices.login(textAt(body, "authentication") ?? "");
        return show(world, world.sessions.open(user.id));
      },
    },
  ];
}

/** What a device is shown of a request. Throws Refusal 403 for who has no device. */
export function getChannels({ world, user }: Call, request: VaultRequest): object {
  if (user.deviceType !== "PSD") throw new Refusal(403, "Channels are for users with a device");
  return world.devices.channels(world, request);
}
