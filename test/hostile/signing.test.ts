/** Catalogue E: keys, challenges and signatures through the built program, against the sandbox. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync, verify } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compactVerify, importSPKI } from "jose";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import challenges from "../vectors/challenge_forms.json";
import vectors from "../vectors/es256_sign_vectors.json";
import keyForms from "../vectors/private_key_forms.json";
import { builtForms, Program, settingsOf } from "./program.ts";
import { editSession } from "./session-file.ts";

const KEY = "LEDGER_ENTERPRISE_API_PRIVATE_KEY";
const hexOf = (pem: string): string => Buffer.from(pem).toString("hex");
const b64u = (text: string): string => Buffer.from(text).toString("base64url");

/** Base-unit payout from the seed's first Bitcoin account, allowed by its policy. */
function payout(changes: Record<string, string>): string {
  const data = {
    accountName: "ClientA COL TBTC 1",
    currency: "bitcoin_testnet",
    maxFees: "4018",
    recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
    ...changes,
  };
  return JSON.stringify({
    type: "CREATE_TRANSACTION",
    data: {
      accountId: "e5a8f6f0-2222-4f6e-8f5a-000000000001",
      transactionType: "BITCOIN_LIKE_SEND",
      transactionData: data,
      feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
    },
  });
}

const DOCUMENTED_KEY = keyForms.cases[0]?.value ?? "";

for (const form of await builtForms()) {
  describe(form.name, () => {
    let sandbox: Sandbox;
    let program: Program;
    beforeAll(async () => {
      sandbox = await startSandbox();
      program = await Program.at(form, {
        ...settingsOf(sandbox),
        [KEY]: sandbox.description.operator.privateKey,
      });
      await program.succeed(["login", "api"]);
    });
    afterAll(async () => {
      await sandbox.close();
      await program[Symbol.asyncDispose]();
    });
    beforeEach(() =>
      sandbox.control.set({ alterChallenge: null, challengeShape: "data", freshChallenges: false }),
    );

    // Each payment differs from the ones before it, which would be duplicates.
    let amount = 1_500_000;
    const create = async (): Promise<string> => {
      amount += 1;
      const document = payout({ amount: String(amount) });
      const answer = await program.succeed(["requests", "create", "--requestData", document]);
      return (answer as { id: string }).id;
    };
    const challengeOf = async (id: string): Promise<{ challenge: string; payloadSha256: string }> =>
      (await program.succeed(["requests", "getChallenge", "--id", id])) as {
        challenge: string;
        payloadSha256: string;
      };
    const posts = (): number =>
      sandbox.control.log.filter(({ method }) => method === "POST").length;

    /** Logged out, so that the key of a vector is not held against the session's user. */
    const offline = { LEDGER_ENTERPRISE_STATE_DIR: "/nonexistent-state-directory" };

    test.each(
      keyForms.cases.map((row) => [`E01 KEY-1 form ${row.id} ${row.description}`, row] as const),
    )("%s", async (_name, row) => {
      // One variable holds at most 128 KiB; the longest value comes from a file.
      const long = join(program.home, "long.key");
      if (row.value === null) await writeFile(long, "2d".repeat(524_288));
      const env: Record<string, string> =
        row.value === null ? { [KEY]: "", [`${KEY}_FILE`]: long } : { [KEY]: row.value };
      const { exit, stdout, stderr } = await program.run(["keys", "public"], { env });
      await rm(long, { force: true });
      const answer = JSON.parse(stdout) as { publicKey?: string; error?: { code: string } };
      if (row.expect === "accept" || exit === 0) {
        expect(exit).toBe(0);
        expect(answer.publicKey).toBe(row.public_key_uncompressed ?? "");
        return;
      }
      expect(exit).toBe(2);
      const wanted =
        "error" in row && typeof row.error === "string" ? row.error : "INVALID_PRIVATE_KEY";
      if (row.expect === "reject")
        expect(answer.error?.code).toBe(row.value?.trim() === "" ? "MISSING_CREDENTIALS" : wanted);
      const body = (row.value ?? "").trim();
      for (let at = 0; at + 24 <= body.length && body.length > 40; at += 24) {
        expect(`${stdout}${stderr}`).not.toContain(body.slice(at, at + 24));
      }
    });

    test("E02 KEY-3 other curves and kinds", async () => {
      const others = [
        generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
        generateKeyPairSync("ec", { namedCurve: "secp521r1" }),
        generateKeyPairSync("rsa", { modulusLength: 2048 }),
        generateKeyPairSync("ed25519"),
      ].map(({ privateKey }) => privateKey.export({ type: "pkcs8", format: "pem" }) as string);
      // secp256k1 is not among the curves of this test's own runtime: scalar 1 with the curve's
      // name, written out.
      const k1 = Buffer.from(
        `302e020101042000${"00".repeat(30)}01a00706052b8104000a`,
        "hex",
      ).toString("base64");
      for (const pem of [
        ...others,
        `-----BEGIN EC PRIVATE KEY-----\n${k1}\n-----END EC PRIVATE KEY-----\n`,
      ]) {
        const argv = ["requests", "sign", "--challenge", b64u('{"a":1}')];
        const failure = await program.fail(argv, 2, "UNSUPPORTED_KEY", {
          env: { [KEY]: hexOf(pem), ...offline },
        });
        expect(`${failure.message} ${failure.hint}`).toContain("P-256");
      }
    });

    test("E03 KEY-2 a key with a pass-phrase, no prompt", async () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const options = { format: "pem", cipher: "aes-256-cbc", passphrase: "x" } as const;
      for (const type of ["sec1", "pkcs8"] as const) {
        const pem = privateKey.export({ ...options, type }) as string;
        const argv = ["requests", "sign", "--challenge", b64u('{"a":1}')];
        const env = { [KEY]: hexOf(pem), ...offline };
        await program.fail(argv, 2, "ENCRYPTED_PRIVATE_KEY", { env });
        // With a terminal on all three streams no question is asked either; the last line there is
        // the document.
        const line = `printf -v line '%q ' "$@" ${argv.join(" ")}; timeout 20 script -qec "$line" /dev/null </dev/null | tail -n 1`;
        const { stdout } = await program.shell(line, env);
        expect(JSON.parse(stdout).error.code).toBe("ENCRYPTED_PRIVATE_KEY");
      }
    });

    test("E04 a public key or a certificate instead", async () => {
      const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
      for (const other of [pem, pem.replaceAll("PUBLIC KEY", "CERTIFICATE")]) {
        const failure = await program.fail(["keys", "public"], 2, "INVALID_PRIVATE_KEY", {
          env: { [KEY]: hexOf(other) },
        });
        expect(failure.message).toContain("public key or certificate");
      }
    });

    test("E05 KEY-4 the key of another operator", async () => {
      const id = await create();
      const { challenge } = await challengeOf(id);
      const before = posts();
      for (const argv of [
        ["requests", "sign", "--challenge", challenge],
        ["requests", "sign", "--challenge", challenge, "--id", id],
        ["requests", "approve", "api", "--id", id, "--sign"],
      ]) {
        const failure = await program.fail(argv, 2, "KEY_MISMATCH", {
          env: { [KEY]: DOCUMENTED_KEY },
        });
        expect(failure.details).toMatchObject({
          configured: expect.stringMatching(/^[0-9a-f]{64}$/),
          registered: expect.stringMatching(/^[0-9a-f]{64}$/),
        });
      }
      expect(posts()).toBe(before);
    });

    test.each(
      challenges.cases.map((row) => [`E06 SIG-1 form ${row.id} ${row.description}`, row] as const),
    )("%s", async (_name, row) => {
      const argv =
        row.value === ""
          ? ["requests", "sign", "--challenge="]
          : ["requests", "sign", "--challenge", "-"];
      const { exit, stdout } = await program.run(argv, {
        stdin: row.value,
        env: { [KEY]: DOCUMENTED_KEY, ...offline },
      });
      const answer = JSON.parse(stdout) as { signature?: string; error?: { code: string } };
      if (row.expect === "reject" || (row.expect === "either" && exit !== 0)) {
        expect([exit, answer.signature]).toEqual([2, undefined]);
        expect(answer.error?.code).toBe(
          row.value === "" ? "INVALID_ARGUMENT" : "INVALID_CHALLENGE",
        );
      } else {
        expect(exit).toBe(0);
        const payload = Buffer.from(answer.signature?.split(".")[1] ?? "", "base64url").toString(
          "utf8",
        );
        expect(payload).toBe(row.payload_utf8 ?? challenges.payload_utf8);
      }
    });

    test("E07 no challenge", async () => {
      await program.fail(["requests", "sign"], 2, "MISSING_OPTION");
    });

    test("E08 a challenge above 1 MiB", async () => {
      const stdin = b64u(`{"a":"${"x".repeat(1024 * 1024)}"}`);
      await program.fail(["requests", "sign", "--challenge", "-"], 2, "INVALID_CHALLENGE", {
        stdin,
        env: offline,
      });
    });

    test("E09 a challenge that is not JSON is signed only with its digest", async () => {
      const env = { [KEY]: DOCUMENTED_KEY, ...offline };
      const argv = ["requests", "sign", "--challenge", b64u("not json")];
      const failure = await program.fail(argv, 2, "INVALID_CHALLENGE", { env });
      const { payloadSha256 } = failure.details as { payloadSha256: string };
      await program.fail(
        [...argv, "--expectPayloadSha256", "0".repeat(64)],
        2,
        "CHALLENGE_MISMATCH",
        { env },
      );
      const { stdout, stderr } = await program.run(
        [...argv, "--expectPayloadSha256", payloadSha256],
        { env },
      );
      expect(JSON.parse(stdout)).toMatchObject({ decoded: null, payloadSha256, review: "none" });
      expect(stderr).toContain("warning: UNKNOWN_CHALLENGE");
    });

    test("E10 a challenge with duplicate keys", async () => {
      const argv = ["requests", "sign", "--challenge", b64u('{"type":"A","type":"B"}')];
      await program.fail(argv, 2, "INVALID_CHALLENGE", {
        env: { [KEY]: DOCUMENTED_KEY, ...offline },
      });
    });

    test("E11 E12 SIG-2 SIG-3 the sign vectors, twice each the same", async () => {
      for (const [at, vector] of vectors.vectors.entries()) {
        const jwk = vectors.keys[vector.key as keyof typeof vectors.keys];
        const env = { [KEY]: pemOf(jwk.private_scalar_hex), ...offline };
        // With its digest given, a challenge that is not JSON is signed, too (E09).
        const bytes = Buffer.from(vector.challenge_base64, "base64");
        const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
        const challenge = `--challenge=${vector.challenge_base64url}`;
        const argv = ["requests", "sign", challenge, "--expectPayloadSha256", digest];
        for (let times = at < 2 ? 2 : 1; times > 0; times -= 1)
          expect(await program.succeed(argv, { env })).toMatchObject({
            signature: vector.jws_rfc6979_low_s,
          });
      }
    });

    test("E13 E14 SIG-2 signing sends nothing; jose and node:crypto accept the signature", async () => {
      const env = {
        [KEY]: DOCUMENTED_KEY,
        ...offline,
        LEDGER_ENTERPRISE_API_URL: "http://127.0.0.1:9/v1/rest",
      };
      const before = sandbox.control.log.length;
      const { signature, publicKey } = (await program.succeed(
        ["requests", "sign", "--challenge", b64u('{"type":"X"}')],
        { env },
      )) as Record<string, string>;
      expect(sandbox.control.log.length).toBe(before);
      const raw = Buffer.from(publicKey ?? "", "hex");
      const spki = Buffer.concat([
        Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex"),
        raw,
      ]);
      const pem = `-----BEGIN PUBLIC KEY-----\n${spki.toString("base64")}\n-----END PUBLIC KEY-----`;
      const { payload } = await compactVerify(signature ?? "", await importSPKI(pem, "ES256"));
      expect(Buffer.from(payload).toString()).toBe('{"type":"X"}');
      const [header, body, tail] = (signature ?? "").split(".");
      const bytes = Buffer.from(tail ?? "", "base64url");
      expect([bytes.length, /=/.test(signature ?? "")]).toEqual([64, false]);
      expect(
        verify(
          "sha256",
          Buffer.from(`${header}.${body}`),
          { key: pem, dsaEncoding: "ieee-p1363" },
          bytes,
        ),
      ).toBe(true);
    });

    test("E15 E16 E17 E18 E19 E20 signatures that are none: no POST", async () => {
      const id = await create();
      const { challenge } = await challengeOf(id);
      const { signature } = (await program.succeed([
        "requests",
        "sign",
        "--challenge",
        challenge,
      ])) as {
        signature: string;
      };
      const [header = "", payload = "", tail = ""] = signature.split(".");
      const bytes = Buffer.from(tail, "base64url");
      const flipped = Buffer.from(bytes);
      flipped[10] = (flipped[10] ?? 0) ^ 1;
      const withHeader = (text: string): string => `${b64u(text)}.${payload}.${tail}`;
      const withTail = (other: Uint8Array): string =>
        `${header}.${payload}.${Buffer.from(other).toString("base64url")}`;
      const before = posts();
      for (const [name, bad] of Object.entries({
        "E15 two parts": `${header}.${payload}`,
        "E15 four parts": `${signature}.x`,
        "E16 63 bytes": withTail(bytes.subarray(1)),
        "E16 65 bytes": withTail(Buffer.concat([bytes, Buffer.from([0])])),
        "E16 DER": withTail(
          Buffer.concat([Buffer.from([0x30, 0x44]), bytes, Buffer.from([0, 0, 0, 0])]),
        ),
        "E17 alg none": withHeader('{"alg":"none","typ":"JWT"}'),
        "E17 HS256": withHeader('{"alg":"HS256","typ":"JWT"}'),
        "E17 ES384": withHeader('{"alg":"ES384"}'),
        "E17 no alg": withHeader('{"typ":"JWT"}'),
        "E17 crit": withHeader('{"alg":"ES256","crit":["x"],"x":1}'),
        "E17 no JSON": withHeader("x"),
        "E18 padding": `${signature}==`,
        "E18 standard alphabet": `${header}.${payload}.${bytes.toString("base64")}`,
        "E19 a flipped bit": withTail(flipped),
        "E20 the challenge itself": challenge,
      })) {
        const failure = await program.fail(
          ["requests", "approve", "api", "--id", id, "--signature", bad],
          2,
          "INVALID_SIGNATURE",
        );
        if (name.startsWith("E20")) expect(failure.hint).toContain("requests sign");
      }
      await program.fail(["requests", "approve", "api", "--id", id], 2, "INVALID_ARGUMENT");
      await program.fail(
        ["requests", "approve", "api", "--id", id, "--signature="],
        2,
        "INVALID_ARGUMENT",
      );
      await program.fail(
        ["requests", "approve", "api", "--id", id, "--sign", "--signature", signature],
        2,
        "INVALID_ARGUMENT",
      );
      expect(posts()).toBe(before);
      await program.succeed(["requests", "approve", "api", "--id", id, "--signature", signature]);
    });

    test("E21 approved already by this operator", async () => {
      const id = await create();
      const { challenge } = await challengeOf(id);
      const { signature } = (await program.succeed([
        "requests",
        "sign",
        "--challenge",
        challenge,
      ])) as {
        signature: string;
      };
      await program.succeed(["requests", "approve", "api", "--id", id, "--signature", signature]);
      const { exit, stdout } = await program.run([
        "requests",
        "approve",
        "api",
        "--id",
        id,
        "--signature",
        signature,
      ]);
      const { error } = JSON.parse(stdout);
      expect({ exit, isNamed: ["CONFLICT", "BAD_REQUEST"].includes(error.code) }).toEqual({
        exit: error.exitCode,
        isNamed: true,
      });
      expect(error.api).toMatchObject({ message: expect.any(String) });
    });

    test("E22 rejected meanwhile", async () => {
      const id = await create();
      const { challenge } = await challengeOf(id);
      const { signature } = (await program.succeed([
        "requests",
        "sign",
        "--challenge",
        challenge,
      ])) as {
        signature: string;
      };
      const { operator } = sandbox.description;
      sandbox.control.review(id, operator.userId, "REJECT");
      const { exit, stdout } = await program.run([
        "requests",
        "approve",
        "api",
        "--id",
        id,
        "--signature",
        signature,
      ]);
      const { error } = JSON.parse(stdout);
      expect([exit, error.httpStatus >= 400]).toEqual([error.exitCode, true]);
      expect(JSON.stringify(error)).toContain("REJECTED");
    });

    test("E23 the answer to an approval is lost", async () => {
      const id = await create();
      sandbox.control.addFault({
        match: { method: "POST", path: `/requests/${id}/approve` },
        cutBody: 10,
      });
      const failure = await program.fail(
        ["requests", "approve", "api", "--id", id, "--sign"],
        1,
        "OUTCOME_UNKNOWN",
      );
      expect([failure.retryable, failure.hint.includes("requests reconcile --key")]).toEqual([
        false,
        true,
      ]);
      sandbox.control.clearFaults();
    });

    const LEAVES = [
      "type",
      "data.transaction_type",
      ...["account_name", "amount", "currency", "max_fees", "recipient"].map(
        (name) => `data.transaction_data.${name}`,
      ),
    ];
    test.each(LEAVES)(
      "E24 SIG-6 an altered %s is found, and nothing is signed or sent",
      async (field) => {
        const id = await create();
        sandbox.control.set({ alterChallenge: { [field]: "altered" } });
        const before = posts();
        const reviewed = await program.fail(
          ["requests", "review", "--id", id],
          2,
          "CHALLENGE_MISMATCH",
        );
        expect(
          (reviewed.details as { differences: { field: string }[] }).differences.map(
            (difference) => difference.field,
          ),
        ).toContain(field);
        const { challenge } = (await program.succeed(["requests", "getChallenge", "--id", id])) as {
          challenge: string;
        };
        for (const argv of [
          ["requests", "sign", "--challenge", challenge],
          ["requests", "sign", "--challenge", challenge, "--id", id],
          ["requests", "sign", "--challenge", challenge, "--dryRun"],
          ["requests", "approve", "api", "--id", id, "--sign"],
          ["requests", "approve", "api", "--id", id, "--sign", "--expect", '{"type":"altered"}'],
          ["requests", "approve", "api", "--id", id, "--sign", "--dryRun"],
        ]) {
          const { exit, stdout } = await program.run(argv);
          const { error, signature } = JSON.parse(stdout) as {
            error?: { code: string };
            signature?: string;
          };
          expect([argv.join(" "), exit, error?.code, signature]).toEqual([
            argv.join(" "),
            2,
            "CHALLENGE_MISMATCH",
            undefined,
          ]);
        }
        expect(posts()).toBe(before);
      },
    );

    test("E26 the vendor's spelling of a currency is equal", async () => {
      const id = await create();
      const { decoded, match, unverified } = (await program.succeed([
        "requests",
        "review",
        "--id",
        id,
      ])) as {
        decoded: { data: { transaction_data: { currency: string } } };
        match: boolean;
        unverified: string[];
      };
      expect([decoded.data.transaction_data.currency, match, unverified]).toEqual([
        "bitcoin testnet",
        true,
        [],
      ]);
    });

    test("E27 a shape that is not known: shown raw, never reported as matching", async () => {
      const env = { [KEY]: DOCUMENTED_KEY, ...offline };
      const { exit, stdout, stderr } = await program.run(
        ["requests", "sign", "--challenge", b64u('{"something":"else"}')],
        { env },
      );
      expect([exit, JSON.parse(stdout).review, JSON.parse(stdout).decoded]).toEqual([
        0,
        "none",
        { something: "else" },
      ]);
      expect(stderr).toContain("warning: UNKNOWN_CHALLENGE");
    });

    test("SIG-6 both values of a difference are shown, escaped", async () => {
      const id = await create();
      sandbox.control.set({
        alterChallenge: { "data.transaction_data.recipient": "tb1\u202eevil\u001b[2J" },
      });
      const { exit, stdout } = await program.run(["requests", "review", "--id", id]);
      expect(exit).toBe(2);
      expect(stdout).toContain("tb1\\u202eevil\\u001b[2J");
      expect(stdout).toContain("tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq");
      for (const raw of ["\u001b", "\u202e"]) expect(stdout).not.toContain(raw);
    });

    test("SIG-7 the same document with other white space is not what was received", async () => {
      const id = await create();
      const { challenge } = await challengeOf(id);
      const spaced = Buffer.from(challenge, "base64url").toString().replace("{", "{ ");
      const payloadSha256 = new Bun.CryptoHasher("sha256").update(spaced).digest("hex");
      const { signature } = (await program.succeed([
        ...["requests", "sign", "--challenge", b64u(spaced)],
        ...["--expectPayloadSha256", payloadSha256],
      ])) as { signature: string };
      const before = posts();
      await program.fail(
        ["requests", "approve", "api", "--id", id, "--signature", signature],
        2,
        "CHALLENGE_MISMATCH",
      );
      expect(posts()).toBe(before);
    });

    test("KEY-4 a key other than the one that the access token names", async () => {
      const token = `e30.${b64u(JSON.stringify({ pub_key: keyForms.cases[0]?.public_key_uncompressed }))}.canary-of-a-signature`;
      const state = join(program.home, "with-claim");
      const env = { LEDGER_ENTERPRISE_STATE_DIR: state };
      await program.succeed(["login", "api"], { env });
      editSession(join(state, "session.json"), ({ user: _, ...session }) => ({
        ...session,
        tokens: { ...session.tokens, access: token },
      }));
      const argv = ["requests", "sign", "--challenge", b64u('{"a":1}')];
      const { details } = await program.fail(argv, 2, "KEY_MISMATCH", { env });
      expect(details).toMatchObject({ registered: expect.stringMatching(/^[0-9a-f]{64}$/) });
    });

    test("SIG-7 a signature for another request, and an earlier challenge", async () => {
      sandbox.control.set({ freshChallenges: true });
      const [one, two] = [await create(), await create()];
      const first = await challengeOf(one);
      const { signature } = (await program.succeed([
        "requests",
        "sign",
        "--challenge",
        first.challenge,
      ])) as {
        signature: string;
      };
      await challengeOf(two);
      const before = posts();
      await program.fail(
        ["requests", "approve", "api", "--id", two, "--signature", signature],
        2,
        "CHALLENGE_MISMATCH",
      );
      await challengeOf(one);
      await program.fail(
        ["requests", "approve", "api", "--id", one, "--signature", signature],
        2,
        "CHALLENGE_MISMATCH",
      );
      expect(posts()).toBe(before);
    });

    test("SIG-7 with rotating challenges the signed one stays valid: no new one is asked for", async () => {
      sandbox.control.set({ freshChallenges: true });
      const id = await create();
      const { challenge } = await challengeOf(id);
      const { signature } = (await program.succeed([
        "requests",
        "sign",
        "--challenge",
        challenge,
        "--id",
        id,
      ])) as {
        signature: string;
      };
      await program.succeed(["requests", "approve", "api", "--id", id, "--signature", signature]);
    });

    test("SIG-8 a payload that looks like a token", async () => {
      const env = { [KEY]: DOCUMENTED_KEY, ...offline };
      const { stderr } = await program.run(
        ["requests", "sign", "--challenge", b64u('{"iss":"a","sub":"b","exp":1}')],
        {
          env,
        },
      );
      expect(stderr).toContain("warning: TOKEN_LIKE");
    });

    test("X1 the second documented shape is compared, and what it lacks needs the confirmed digest", async () => {
      sandbox.control.set({ challengeShape: "transactionProperties" });
      const id = await create();
      const found = (await program.succeed(["requests", "review", "--id", id])) as Record<
        string,
        unknown
      >;
      expect(found).toMatchObject({ match: true, differences: [] });
      const argv = ["requests", "approve", "api", "--id", id, "--sign"];
      await program.fail(argv, 2, "CHALLENGE_MISMATCH");
      await program.succeed([...argv, "--expectPayloadSha256", String(found.payloadSha256)]);
    });
  });
}

/** SEC1 PEM in hexadecimal of a test scalar. */
function pemOf(scalarHex: string): string {
  const der = Buffer.concat([
    Buffer.from("30310201010420", "hex"),
    Buffer.from(scalarHex, "hex"),
    Buffer.from("a00a06082a8648ce3d030107", "hex"),
  ]);
  return hexOf(
    `-----BEGIN EC PRIVATE KEY-----\n${der.toString("base64")}\n-----END EC PRIVATE KEY-----\n`,
  );
}
