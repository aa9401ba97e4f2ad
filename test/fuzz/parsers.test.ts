/**
 * Our own parsers under damage: whatever comes in, they give a value that is what it says, or a
 * CliError of a foreseen code; never another exception, never a hang. Seeded and bounded here;
 * `FUZZ=200 FUZZ_SEED=7 npm test test/fuzz` by hand. JSON has its own (test/io/json-fuzz.test.ts),
 * and so has what a device sends (device.test.ts).
 */
import { afterAll, expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { walk } from "../../src/cli/command.ts";
import { interpret, interpretGlobals, parse } from "../../src/cli/parse.ts";
import { generateKeyPair, parsePrivateKey } from "../../src/core/auth/key.ts";
import { decodeChallenge } from "../../src/core/signing/challenge.ts";
import { parseJws, verifyJws } from "../../src/core/signing/jws.ts";
import { SessionStore } from "../../src/core/state/session.ts";
import { CliError, type ErrorCode } from "../../src/errors.ts";
import { fuzz, outcomeOf } from "../support/fuzz.ts";
import { commands } from "../support/registry.ts";
import { runtimeWith, stateAt } from "../support/runtime.ts";
import challenges from "../vectors/challenge_forms.json";
import vectors from "../vectors/es256_sign_vectors.json";
import keys from "../vectors/private_key_forms.json";

const USAGE: readonly ErrorCode[] = [
  "UNKNOWN_COMMAND",
  "MISSING_COMMAND",
  "UNKNOWN_OPTION",
  "MISSING_OPTION",
  "MISSING_OPTION_VALUE",
  "DUPLICATE_OPTION",
  "UNEXPECTED_ARGUMENT",
  "INVALID_ARGUMENT",
  "INVALID_PATH",
  "INVALID_JSON",
  "JSON_DUPLICATE_KEY",
  "INVALID_REQUEST_DATA",
  "PAYLOAD_TOO_LARGE",
];

test("the argument parser: damaged command lines are refused as usage, or mean exactly what they say", async () => {
  const lines = [...walk(commands)].flatMap(([words, command]) =>
    command.examples.map(({ line }) => [...words, ...line.split(" ").slice(words.length)]),
  );
  const words = [...walk(commands)].flatMap(([path, command]) => [
    ...path,
    ...Object.keys(command.args).map((name) => `--${name}`),
  ]);
  const files = {
    mayQuote: () => true,
    file: async () => new Uint8Array(),
    stdin: async () => new Uint8Array(),
  };
  const outcomes = await fuzz(4000, async (random) => {
    const argv = [...random.pick(lines)];
    for (let left = random.below(4); left > 0; left -= 1) {
      const at = random.below(argv.length + 1);
      const word = random.pick([
        random.pick(words),
        random.damage(argv[at] ?? ""),
        random.damage(random.pick(words)),
        "--",
        "-",
        "",
        "--=",
        "-v",
        "--help",
      ]);
      argv.splice(at, random.below(2), word);
    }
    const before = JSON.stringify(argv);
    const outcome = await outcomeOf(async () => {
      const invocation = parse(argv, commands);
      if (invocation.asks !== undefined || invocation.target.kind === "group") return;
      interpretGlobals(invocation);
      const values = await interpret(invocation, invocation.target, files);
      const known = new Set([...Object.keys(invocation.target.args), "operands"]);
      expect(Object.keys(values).filter((name) => !known.has(name))).toEqual([]);
      expect(
        Object.getPrototypeOf(values) === Object.prototype ||
          Object.getPrototypeOf(values) === null,
      ).toBe(true);
    }, USAGE);
    expect(JSON.stringify(argv)).toBe(before);
    return outcome;
  });
  expect(outcomes.get("accepted") ?? 0).toBeGreaterThan(100);
  expect(outcomes.size).toBeGreaterThan(5);
});

test("SIG-1 the challenge decoder: what it accepts is the canonical spelling of its bytes", async () => {
  const outcomes = await fuzz(6000, (random) => {
    const payload =
      random.below(2) === 0
        ? random.bytes(random.below(60))
        : Buffer.from(random.damage(challenges.payload_utf8));
    const encoded = Buffer.from(payload).toString(random.pick(["base64", "base64url"]));
    const text =
      random.below(3) === 0
        ? encoded
        : random.damage(
            random.below(2) === 0 ? encoded : (random.pick(challenges.cases).value ?? ""),
          );
    return outcomeOf(() => {
      const challenge = decodeChallenge(text);
      const bare = text.trim().replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
      expect(Buffer.from(challenge.bytes).toString("base64url")).toBe(bare);
      expect(challenge.base64url).toBe(bare);
      if (challenge.document !== undefined)
        expect(JSON.parse(challenge.document.text)).toEqual(
          JSON.parse(Buffer.from(challenge.bytes).toString()),
        );
    }, ["INVALID_CHALLENGE"]);
  });
  for (const outcome of ["accepted", "INVALID_CHALLENGE"])
    expect(outcomes.get(outcome) ?? 0).toBeGreaterThan(500);
});

test("KEY-1 KEY-3 the reader of private keys: what it accepts, node:crypto reads as the same scalar", async () => {
  const foreseen: readonly ErrorCode[] = [
    "INVALID_PRIVATE_KEY",
    "UNSUPPORTED_KEY",
    "ENCRYPTED_PRIVATE_KEY",
  ];
  const forms = [
    generateKeyPair().pemHex,
    ...keys.cases.flatMap(({ value }) => (value === null || value.length > 20_000 ? [] : [value])),
  ];
  const outcomes = await fuzz(3000, (random) => {
    const form = random.pick(forms);
    const pem =
      /^[0-9a-f]+$/i.test(form) && form.length % 2 === 0
        ? Buffer.from(form, "hex").toString("latin1")
        : form;
    const damagedDer = (): string => {
      const der = Buffer.from(
        /-----BEGIN [^-]+-----([\s\S]+?)-----END/.exec(pem)?.[1] ?? "",
        "base64",
      );
      for (let left = 1 + random.below(3); left > 0 && der.length > 0; left -= 1)
        der[random.below(der.length)] = random.below(256);
      return pem.replace(
        /(-----BEGIN [^-]+-----)[\s\S]+?(-----END)/,
        (_, begin: string, end: string) => `${begin}\n${der.toString("base64")}\n${end}`,
      );
    };
    const changed = random.pick([
      () => form,
      () => random.damage(form),
      () => random.damage(pem),
      damagedDer,
    ])();
    const text = random.below(2) === 0 ? changed : Buffer.from(changed, "latin1").toString("hex");
    return outcomeOf(() => {
      const { scalar, publicKey } = parsePrivateKey(text);
      expect([scalar.length, publicKey.length, publicKey[0]]).toEqual([32, 65, 4]);
      const read = /^[0-9a-fA-F\s]+$/.test(text)
        ? Buffer.from(text.trim(), "hex").toString("latin1")
        : text.trim();
      // An empty line within disturbs only node:crypto on Bun.
      const { d, x, y } = createPrivateKey(read.replace(/(\r?\n)+/g, "\n")).export({
        format: "jwk",
      });
      expect(Buffer.from(scalar).toString("base64url")).toBe(String(d));
      expect(Buffer.from(publicKey.subarray(1)).toString("hex")).toBe(
        Buffer.concat([
          Buffer.from(x ?? "", "base64url"),
          Buffer.from(y ?? "", "base64url"),
        ]).toString("hex"),
      );
    }, [...foreseen, "MISSING_CREDENTIALS"]);
  });
  expect(outcomes.get("accepted") ?? 0).toBeGreaterThan(100);
  for (const code of foreseen) expect(outcomes.get(code) ?? 0).toBeGreaterThan(0);
});

test("SIG-7 the JWS reader: what it accepts is spelled canonically, and a damaged one never verifies", async () => {
  const samples = vectors.vectors.map(({ key, jws_rfc6979_low_s }) => ({
    jws: jws_rfc6979_low_s,
    publicKey: Buffer.from(
      vectors.keys[key as keyof typeof vectors.keys].public_key_uncompressed,
      "hex",
    ),
  }));
  const outcomes = await fuzz(2500, (random) => {
    const { jws, publicKey } = random.pick(samples);
    const text = random.damage(jws);
    return outcomeOf(() => {
      const { signature } = parseJws(text);
      expect(signature.length).toBe(64);
      const parts = text.trim().split(".");
      expect(parts.map((part) => Buffer.from(part, "base64url").toString("base64url"))).toEqual(
        parts,
      );
      if (text.trim() !== jws) expect(verifyJws(text.trim(), publicKey)).toBe(false);
    }, ["INVALID_SIGNATURE"]);
  });
  for (const outcome of ["accepted", "INVALID_SIGNATURE"])
    expect(outcomes.get(outcome) ?? 0).toBeGreaterThan(50);
});

const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("SES-4 the session file: a valid session or SESSION_CORRUPT, and the content is never quoted", async () => {
  chmodSync(folder, 0o700);
  const path = join(folder, "session.json");
  const session = {
    version: 1,
    kind: "api",
    apiVersion: "v2",
    origin: "https://h.example",
    basePath: "/v1/rest",
    workspace: "minivault",
    user: { id: "u1", name: "ü 🔐", publicKey: `04${"ab".repeat(64)}` },
    tokens: {
      access: "canary-access-token",
      refresh: "canary-refresh-token",
      receivedAt: 1_700_000_000_000,
      expiresInSeconds: 300,
      refreshExpiresInSeconds: 1800,
    },
  };
  const runtime = runtimeWith({ now: () => 1_700_000_000_000 });
  const store = new SessionStore(stateAt(folder, runtime), runtime);
  const outcomes = await fuzz(3000, async (random) => {
    const text = random.damage(JSON.stringify(session));
    writeFileSync(path, random.below(30) === 0 ? random.bytes(random.below(300)) : text, {
      mode: 0o600,
    });
    return outcomeOf(async () => {
      try {
        const read = await store.read();
        expect(["api", "device", "reporting"]).toContain(read?.kind ?? "");
        expect(read?.tokens === undefined || /^[A-Za-z0-9._~+/=-]+$/.test(read.tokens.access)).toBe(
          true,
        );
      } catch (cause) {
        if (cause instanceof CliError)
          expect(
            JSON.stringify([cause.message, cause.facts.details, cause.facts.hint]),
          ).not.toContain("canary");
        throw cause;
      }
    }, ["SESSION_CORRUPT"]);
  });
  for (const outcome of ["accepted", "SESSION_CORRUPT"])
    expect(outcomes.get(outcome) ?? 0).toBeGreaterThan(50);
});
