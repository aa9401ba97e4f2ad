/**
 * The Vault application: its commands as calls, and the way there from whatever the device shows
 * (device protocol §2.1, §3).
 */
import { CliError } from "../../errors.ts";
import * as apdu from "./apdu.ts";
import { OK, statusError } from "./status.ts";
import type { Connection } from "./transport.ts";

/** A faulty device must not keep us for ever. */
const ROUNDS_PER_ACTION = 20;
const MOST_PAGES = 64;
const SIGNATURE_MAX_BYTES = 1024;

const hasMore = (status: number): boolean => status >> 8 === 0x61;

/** The open Vault application, as calls. Throws the DEVICE_ codes. */
export class Vault {
  constructor(private readonly connection: Connection) {}

  /** The device's own key, 65 bytes; shows nothing. */
  async publicKey(): Promise<Uint8Array> {
    return apdu.readPublicKey(
      (await this.connection.ask("getPublicKey", apdu.GET_PUBLIC_KEY)).data,
    );
  }

  /** Asks the person to log in. Returns the bytes for the server. */
  async authenticate(login: apdu.LoginChallenge): Promise<Uint8Array> {
    const { data } = await this.send("authenticate", apdu.authenticate(login), true);
    return apdu.readAuthentication(data);
  }

  /**
   * Opens the secure channel with the server's security module; shows nothing. Throws
   * DEVICE_SERVER_UNTRUSTED.
   */
  async openSession(opening: apdu.SessionOpening): Promise<void> {
    await this.send("openSession", apdu.openSession(opening), false);
  }

  /**
   * Shows the actions in the order that the device asks for, and returns the person's signature,
   * opaque bytes. The first action is number 1. Throws DEVICE_REFUSED, DEVICE_PROTOCOL.
   */
  async sign(actions: readonly Uint8Array[]): Promise<Uint8Array> {
    let number = 1;
    for (let round = 0; round < actions.length * ROUNDS_PER_ACTION; round += 1) {
      const action = actions[number - 1];
      if (action === undefined) throw apdu.malformed("validateVaultOperation");
      const { data, status } = await this.send(
        "validateVaultOperation",
        apdu.validate(action),
        true,
      );
      const step = apdu.readStep(data);
      if ("signature" in step) return this.rest(step.signature, status);
      number = step.next;
    }
    throw new CliError("DEVICE_PROTOCOL", {
      message: "The device asks for the same again and again; nothing was sent.",
    });
  }

  /** The older form: one operation, whose answer is the signature. */
  async signOperation(operation: Uint8Array): Promise<Uint8Array> {
    const { data, status } = await this.send(
      "validateVaultOperation",
      apdu.validate(operation, "operation"),
      true,
    );
    return this.rest(data, status);
  }

  /** The pages of a signature after its beginning. */
  private async rest(beginning: Uint8Array, firstStatus: number): Promise<Uint8Array> {
    let [signature, status] = [beginning, firstStatus];
    for (let page = 0; status !== OK; page += 1) {
      if (page === MOST_PAGES) throw apdu.malformed("getResponse");
      const answer = await this.connection.ask("getResponse", apdu.GET_RESPONSE, false, hasMore);
      signature = Buffer.concat([signature, answer.data]);
      status = answer.status;
    }
    if (signature.length === 0 || signature.length > SIGNATURE_MAX_BYTES)
      throw apdu.malformed("validateVaultOperation");
    return signature;
  }

  /** All pieces of one command; only the last answer counts. */
  private async send(name: string, pieces: readonly Uint8Array[], person: boolean) {
    let answer = { data: new Uint8Array(), status: 0 } as Awaited<
      ReturnType<Connection["exchange"]>
    >;
    for (const piece of pieces) answer = await this.connection.ask(name, piece, person, hasMore);
    return answer;
  }
}

/** What runs on the device now. Throws DEVICE_LOCKED and the other statuses as errors. */
export async function askApp(connection: Connection): Promise<apdu.App> {
  return apdu.readApp((await connection.ask("getAppAndVersion", apdu.GET_APP_AND_VERSION)).data);
}

export function isVault({ name }: apdu.App): boolean {
  return name.toLowerCase().includes("vault");
}

export function isDashboard({ name }: apdu.App): boolean {
  return /^B?OLOS$/.test(name);
}

/** How a device takes the order to open the application. */
export type Opening = "opened" | "unknown";

/**
 * Asks the person to open the Vault application. `unknown`: this dashboard has no such command.
 * Throws DEVICE_REFUSED, DEVICE_APP_MISSING.
 */
export async function openVault(connection: Connection): Promise<Opening> {
  const { status } = await connection.exchange("openApp", apdu.OPEN_APP, true);
  if (status === OK) return "opened";
  if (status === 0x6d00 || status === 0x6e00) return "unknown";
  throw statusError(status, "openApp");
}

export async function closeApp(connection: Connection): Promise<void> {
  await connection.ask("closeApp", apdu.CLOSE_APP);
}
