/**
 * The operator's key when a program of the user's holds it: what the configuration says about it.
 */
import { CliError } from "../../errors.ts";
import type { Config } from "../auth/config.ts";
import { missingPublicKey } from "../auth/faults.ts";
import { fingerprint } from "../auth/key.ts";
import {
  type ConfiguredProgram,
  type ProgramHost,
  parseProgram,
  withEnvironment,
} from "../auth/program.ts";
import { parsePublicKey } from "../auth/publickey.ts";
import { askPublicKey, externalSigner } from "./external.ts";
import type { KeyHolder } from "./keyring.ts";

const SIGNER = "LEDGER_ENTERPRISE_SIGNER";
const PUBLIC_KEY = "LEDGER_ENTERPRISE_API_PUBLIC_KEY";

/** A key outside of this process. */
export interface ExternalKey extends KeyHolder {
  /**
   * Starts the program, and returns the public key (65 bytes) that it signs with. Throws
   * KEY_MISMATCH when the configuration has another one, and the SIGNER_ codes.
   */
  ask(): Promise<Uint8Array>;
}

/**
 * The key behind `LEDGER_ENTERPRISE_SIGNER`, whose value is `text`. Only `sign` of its signer and
 * `ask` start the program. Its methods throw INVALID_ARGUMENT, MISSING_CREDENTIALS,
 * UNSUPPORTED_KEY.
 */
export function externalKey(config: Config, text: string, host: ProgramHost): ExternalKey {
  const read = (): { program: ConfiguredProgram; stated: Uint8Array | undefined } => ({
    program: withEnvironment(parseProgram(text, SIGNER), config.environment),
    stated: statedPublicKey(config),
  });
  return {
    async publicKey() {
      const { stated } = read();
      if (stated === undefined) throw missingPublicKey();
      return stated;
    },
    async signer() {
      const { program, stated } = read();
      if (stated === undefined) throw missingPublicKey();
      return externalSigner(program, stated, host);
    },
    async ask() {
      const { program, stated } = read();
      const found = await askPublicKey(program, host);
      if (stated === undefined || Buffer.from(found).equals(stated)) return found;
      throw new CliError("KEY_MISMATCH", {
        message: `The signer has another key than ${PUBLIC_KEY} names.`,
        hint: `Correct ${PUBLIC_KEY} or the signer. The registered key decides which of them is right.`,
        details: { configured: fingerprint(stated), signer: fingerprint(found) },
      });
    },
  };
}

/**
 * A key of this process, or none, beside `LEDGER_ENTERPRISE_API_PUBLIC_KEY`. `publicKey` throws
 * CONFIG_CONFLICT when the two do not belong together.
 */
export function statedKey(config: Config, holder: KeyHolder): KeyHolder {
  return {
    async publicKey() {
      const [stated, found] = [statedPublicKey(config), await holder.publicKey()];
      if (stated === undefined || found === undefined) return stated ?? found;
      if (Buffer.from(found).equals(stated)) return stated;
      throw new CliError("CONFIG_CONFLICT", {
        message: `${PUBLIC_KEY} does not belong to the configured private key.`,
        field: PUBLIC_KEY,
      });
    },
    signer: () => holder.signer(),
  };
}

function statedPublicKey(config: Config): Uint8Array | undefined {
  const text = config.publicKey();
  if (text === undefined) return undefined;
  const key = parsePublicKey(text);
  if (key === "malformed") {
    throw new CliError("INVALID_ARGUMENT", {
      message: `${PUBLIC_KEY} is neither 130 hexadecimal digits nor the PEM of a public key.`,
      hint: "Copy the public key that 'keys public --signer' prints.",
      field: PUBLIC_KEY,
    });
  }
  if (key === "unsupported") {
    throw new CliError("UNSUPPORTED_KEY", {
      message: `${PUBLIC_KEY} is not a point on P-256.`,
      field: PUBLIC_KEY,
    });
  }
  return key;
}
