/**
 * A new API user's key pair, judged by openssl: the forms that the vendor's registration guide asks
 * for.
 */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Program } from "../hostile/program.ts";
import { SOURCE } from "../support/forms.ts";

function openssl(args: readonly string[], input: string | Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync("openssl", args, { input });
  expect([args, status, status === 0 ? "" : stderr.toString()]).toEqual([args, 0, ""]);
  return stdout;
}

test("keys generate: hex of an unencrypted SEC1 PEM on P-256, and its uncompressed X9.62 point in hex", async () => {
  await using program = await Program.at(SOURCE, {});
  const file = join(program.home, "operator.key");
  const made = (await program.succeed(["keys", "generate", "--out", file])) as {
    publicKey: string;
  };
  const content = await readFile(file, "utf8");
  expect(content).toMatch(/^([0-9a-f]{2})+\n$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const pem = Buffer.from(content.trim(), "hex").toString("latin1");
  expect(pem).toMatch(
    /^-----BEGIN EC PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END EC PRIVATE KEY-----\n$/,
  );
  expect(openssl(["ec", "-check", "-noout"], pem).toString()).not.toContain("invalid");
  const text = openssl(["ec", "-text", "-noout"], pem).toString();
  expect(text).toContain("NIST CURVE: P-256");
  // The traditional form is what openssl itself writes, byte for byte.
  expect(openssl(["ec"], pem).toString()).toBe(pem);
  // The point is at the end of the SubjectPublicKeyInfo.
  const der = openssl(["ec", "-pubout", "-outform", "DER", "-conv_form", "uncompressed"], pem);
  expect(made.publicKey).toBe(der.subarray(-65).toString("hex"));
  expect(made.publicKey).toMatch(/^04[0-9a-f]{128}$/);
});

test("the other way round: openssl's key, exported as the guide says, is the one that signs", async () => {
  await using program = await Program.at(SOURCE, {});
  const pem = openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "");
  await writeFile(join(program.home, "key"), pem.toString("hex"), { mode: 0o600 });
  const env = { LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: join(program.home, "key") };
  const { publicKey } = (await program.succeed(["keys", "public"], { env })) as {
    publicKey: string;
  };
  const point = openssl(["ec", "-pubout", "-outform", "DER"], pem).subarray(-65);
  expect(publicKey).toBe(point.toString("hex"));

  const payload = '{"antireplay":"00","data":{},"type":"APPROVE_TRANSACTION"}';
  const challenge = Buffer.from(payload).toString("base64url");
  const argv = ["requests", "sign", "--challenge", challenge];
  const { signature } = (await program.succeed(argv, { env })) as { signature: string };
  const [head = "", body = "", raw = ""] = signature.split(".");
  const [r, s] = [
    Buffer.from(raw, "base64url").subarray(0, 32),
    Buffer.from(raw, "base64url").subarray(32),
  ];
  await writeFile(join(program.home, "signed"), `${head}.${body}`);
  await writeFile(join(program.home, "signature"), derOf(r, s));
  await writeFile(join(program.home, "public.pem"), openssl(["ec", "-pubout"], pem));
  const verify = ["dgst", "-sha256", "-verify", join(program.home, "public.pem"), "-signature"];
  const said = openssl(
    [...verify, join(program.home, "signature"), join(program.home, "signed")],
    "",
  );
  expect(said.toString()).toBe("Verified OK\n");
  expect(Buffer.from(body, "base64url").toString()).toBe(payload);
});

/** SEQUENCE of two INTEGERs, as openssl wants it. */
function derOf(r: Buffer, s: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    const short = Buffer.from(bytes.subarray(bytes.findIndex((byte) => byte !== 0)));
    const positive = (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short;
    return Buffer.concat([Buffer.of(2, positive.length), positive]);
  };
  const both = Buffer.concat([integer(r), integer(s)]);
  return Buffer.concat([Buffer.of(0x30, both.length), both]);
}
