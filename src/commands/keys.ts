/** Key pairs of an API operator, in the form that registration asks for. */
import * as v from "valibot";
import { flag, path } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { missingPrivateKey } from "../core/auth/faults.ts";
import { CliError } from "../errors.ts";
import { command } from "./parts/command.ts";

const PublicHalf = { publicKey: v.string(), fingerprint: v.string() };

const generate = command({
  summary: "Make a new P-256 key pair for an API operator.",
  notes: [
    "The private key is the hexadecimal form of a SEC1 PEM; the file gets mode 0600 and is never overwritten.",
    "An administrator registers the public key (130 hexadecimal digits).",
    "A key that never leaves an HSM, a TPM or a key management service is made there instead: see docs/operator-keys.md.",
  ],
  effect: "local",
  needs: ["files"],
  args: {
    out: path("File for the private key; must not exist."),
    stdout: flag(
      "Print the private key in the JSON instead. Everyone who sees the output can sign.",
    ),
  },
  output: () =>
    v.looseObject({
      ...PublicHalf,
      file: v.optional(v.string()),
      privateKey: v.optional(v.string()),
    }),
  ungated: true,
  examples: [
    {
      line: "keys generate --out operator.key",
      means: "Private key into a new file, public key on stdout",
    },
  ],
  run: async ({ files }, { out, stdout }) => {
    if ((out === undefined) === !stdout) {
      throw new CliError("INVALID_ARGUMENT", {
        message: "Give exactly one of --out and --stdout.",
        field: "--out",
      });
    }
    const { fingerprint, generateKeyPair, publicKeyFromHex } = await import("../core/auth/key.ts");
    const { pemHex, publicKeyHex } = generateKeyPair();
    const bytes = publicKeyFromHex(publicKeyHex);
    if (bytes === undefined) throw new Error("the new public key is not on its curve");
    const publicHalf = { publicKey: publicKeyHex, fingerprint: fingerprint(bytes) };
    if (out === undefined) return { ...publicHalf, privateKey: pemHex };
    await files.writeNew(out, new TextEncoder().encode(`${pemHex}\n`), 0o600, "--out");
    return { ...publicHalf, file: out };
  },
});

const publicKey = command({
  summary: "Public key and fingerprint of the configured key.",
  notes: [
    "--signer starts the program that LEDGER_ENTERPRISE_SIGNER names, and compares its key with LEDGER_ENTERPRISE_API_PUBLIC_KEY when that is set.",
  ],
  effect: "local",
  needs: ["publicKey", "signerKey"],
  args: { signer: flag("Ask the external signer for its public key.") },
  output: () => v.looseObject(PublicHalf),
  fields: "object",
  ungated: true,
  examples: [
    { line: "keys public", means: "Compare with what the administrator registered" },
    { line: "keys public --signer", means: "The public key of the external signer" },
  ],
  fails: ["KEY_MISMATCH"],
  run: async ({ publicKey: read, signerKey }, { signer }) => {
    const key = signer ? await signerKey() : await read();
    if (key === undefined) throw missingPrivateKey();
    const { fingerprint } = await import("../core/auth/key.ts");
    return { publicKey: Buffer.from(key).toString("hex"), fingerprint: fingerprint(key) };
  },
});

export const keys = group("Key pairs of an API operator; nothing leaves this machine.", {
  generate,
  public: publicKey,
});
