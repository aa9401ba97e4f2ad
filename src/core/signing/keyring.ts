/**
 * The operator's key: whose it is, and signatures with it. Every signature passes `Acts`. What
 * holds the key is loaded only when a signature is wanted, after everything else was decided.
 */
import { CliError } from "../../errors.ts";
import type { Redactor } from "../../io/redact.ts";
import type { Acts, SignIntent } from "../acts.ts";
import type { Config } from "../auth/config.ts";
import { missingPrivateKey } from "../auth/faults.ts";
import { parsePrivateKey } from "../auth/key.ts";
import { signJws } from "./jws.ts";
import type { Signer } from "./signer.ts";

/** What holds one P-256 key: this process, or a program of the user's. */
export interface KeyHolder {
  /**
   * 65 bytes, uncompressed point, as the configuration has it; undefined when it names no key.
   * Asks no other program. Throws the codes of a key that is not valid.
   */
  publicKey(): Promise<Uint8Array | undefined>;
  /** Loads what signs. Asked once, for one signature. */
  signer(): Promise<Signer>;
}

/** What a signature is for and over. */
export type SigningOrder = Omit<SignIntent, "kind" | "command">;

/** The key of one run. */
export class Keyring {
  constructor(
    private readonly holder: KeyHolder,
    private readonly acts: Acts,
  ) {}

  /** The public key (65 bytes) without asking what holds the key. Throws MISSING_CREDENTIALS. */
  async publicKey(): Promise<Uint8Array> {
    const key = await this.holder.publicKey();
    if (key === undefined) throw missingPrivateKey();
    return key;
  }

  /**
   * A compact JWS over the order's bytes. Throws KEY_MISMATCH when what signs has another key than
   * the configuration says, INTERNAL when its signature does not verify, and what the stages of
   * `Acts` throw.
   */
  async sign(order: SigningOrder): Promise<string> {
    const publicKey = await this.publicKey();
    const intent = { kind: "sign" as const, command: this.acts.command, ...order };
    return this.acts.perform(intent, async () => {
      const signer = await this.holder.signer();
      if (Buffer.from(signer.publicKey).equals(publicKey))
        return signJws(order.content.bytes, signer);
      throw new CliError("KEY_MISMATCH", {
        message: "The signer has another key than the configuration; nothing was signed.",
      });
    });
  }
}

/** The private key of the configuration, which is read once and wiped after each use (SIG-9). */
export function configuredKey(config: Config, redactor: Redactor): KeyHolder {
  let text: Promise<string | undefined> | undefined;
  const read = () => {
    text ??= config.optionalPrivateKey();
    return text;
  };
  return {
    async publicKey() {
      const found = await read();
      if (found === undefined) return undefined;
      const key = parsePrivateKey(found);
      key.wipe();
      return key.publicKey;
    },
    async signer() {
      const found = await read();
      if (found === undefined) throw missingPrivateKey();
      const key = parsePrivateKey(found);
      redactor.learn(Buffer.from(key.scalar).toString("hex"));
      const { softwareSigner } = await import("./software.ts");
      const signer = await softwareSigner(key);
      return {
        publicKey: signer.publicKey,
        sign: (message) => signer.sign(message).finally(() => key.wipe()),
      };
    },
  };
}
