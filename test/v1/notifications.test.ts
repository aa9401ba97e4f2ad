/**
 * Webhooks: what the vendor's guide calls genuine, and everything that is not. The clock is the
 * test's.
 */
import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { verifyNotification } from "../../src/core/notifications/signature.ts";
import { CliError } from "../../src/errors.ts";
import { Program } from "../hostile/program.ts";
import { SOURCE } from "../support/forms.ts";

const SECRET = "mysecret-of-the-webhook";
const NOW = Date.parse("2026-03-02T10:00:00Z");
const TIME = NOW / 1000;
const BODY = new TextEncoder().encode(
  '{"payload_type": "TRANSACTION", "event_type": "NEW_TRANSACTION_HAS_BEEN_RECEIVED", "id": 10}',
);

function mac(time: number | string, body: Uint8Array = BODY, secret = SECRET): string {
  return createHmac("sha256", secret).update(`${time}.`).update(body).digest("hex");
}

/** Empty when it is genuine, else the code. */
function verdict(header: string, body: Uint8Array = BODY, nowMs = NOW, secret = SECRET): string {
  try {
    verifyNotification({ header, body }, secret, nowMs);
    return "";
  } catch (cause) {
    return cause instanceof CliError ? cause.code : String(cause);
  }
}

const GENUINE = `t=${TIME},v1=${mac(TIME)}`;

test("openssl's own HMAC is accepted", () => {
  const run = Bun.spawnSync(["openssl", "dgst", "-sha256", "-hmac", SECRET, "-hex"], {
    stdin: Buffer.concat([Buffer.from(`${TIME}.`), BODY]),
  });
  const hex = /([0-9a-f]{64})\s*$/.exec(run.stdout.toString())?.[1];
  expect(verdict(`t=${TIME},v1=${hex}`)).toBe("");
});

test("says when it was signed", () => {
  expect(verifyNotification({ header: GENUINE, body: BODY }, SECRET, NOW + 12_900)).toEqual({
    signedAt: "2026-03-02T10:00:00.000Z",
    ageSeconds: 12,
  });
});

describe("five minutes", () => {
  test.each([
    [300_999, ""],
    [301_000, "INVALID_SIGNATURE"],
    [-300_000, ""],
    [-300_001, "INVALID_SIGNATURE"],
    [86_400_000, "INVALID_SIGNATURE"],
  ])("%d ms after it was signed: %p", (ms, expected) =>
    expect(verdict(GENUINE, BODY, NOW + ms)).toBe(expected),
  );
});

describe("what is accepted", () => {
  test.each([
    ["upper case", `t=${TIME},v1=${mac(TIME).toUpperCase()}`],
    ["another order and spaces", ` v1=${mac(TIME)} , t=${TIME} `],
    ["the header's name before it", `X-Ledger-Signature: ${GENUINE}`],
    ["another scheme beside it", `${GENUINE},v0=abc`],
  ])("%s", (_name, header) => expect(verdict(header)).toBe(""));
});

describe("what is refused", () => {
  test.each([
    ["another body", GENUINE, new Uint8Array([...BODY, 0x0a])],
    ["another time", `t=${TIME + 1},v1=${mac(TIME)}`, BODY],
    ["another secret", `t=${TIME},v1=${mac(TIME, BODY, "other")}`, BODY],
    ["no time", `v1=${mac(TIME)}`, BODY],
    ["no signature", `t=${TIME}`, BODY],
    ["nothing", "", BODY],
    ["two times", `t=${TIME},t=${TIME},v1=${mac(TIME)}`, BODY],
    ["two signatures, one of them right", `t=${TIME},v1=${"0".repeat(64)},v1=${mac(TIME)}`, BODY],
    ["a short signature", `t=${TIME},v1=${mac(TIME).slice(0, 63)}`, BODY],
    ["a long signature", `${GENUINE}0`, BODY],
    ["a signature that is not hexadecimal", `t=${TIME},v1=${"z".repeat(64)}`, BODY],
    ["a time with a sign", `t=+${TIME},v1=${mac(`+${TIME}`)}`, BODY],
    ["a time with a fraction", `t=${TIME}.0,v1=${mac(`${TIME}.0`)}`, BODY],
    ["a time with a leading zero", `t=0${TIME},v1=${mac(`0${TIME}`)}`, BODY],
    ["a time in words", `t=now,v1=${mac("now")}`, BODY],
    ["one in base64", `t=${TIME},v1=${Buffer.from(mac(TIME), "hex").toString("base64")}`, BODY],
  ])("%s", (_name, header, body) => expect(verdict(header, body)).toBe("INVALID_SIGNATURE"));

  test("every altered bit of the body, and every altered digit of the signature", () => {
    for (let bit = 0; bit < BODY.length * 8; bit += 1) {
      const altered = BODY.map((byte, index) =>
        index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
      );
      expect(verdict(GENUINE, altered)).toBe("INVALID_SIGNATURE");
    }
    const signature = mac(TIME);
    for (let at = 0; at < signature.length; at += 1) {
      const digit = signature[at] === "0" ? "1" : "0";
      const altered = signature.slice(0, at) + digit + signature.slice(at + 1);
      expect(verdict(`t=${TIME},v1=${altered}`)).toBe("INVALID_SIGNATURE");
    }
  });
});

describe("the command", () => {
  const open = (env: Record<string, string>) => Program.at(SOURCE, env);
  const fresh = (body: Uint8Array): string => {
    const now = Math.floor(Date.now() / 1000);
    return `t=${now},v1=${mac(now, body)}`;
  };

  test("verifies the bytes of a file, and relays the payload token by token", async () => {
    await using program = await open({ LEDGER_ENTERPRISE_WEBHOOK_SECRET: SECRET });
    const body = new TextEncoder().encode(
      '{ "id": 12345678901234567890,\n "2":0.10,"1":"\u202e" }\r\n',
    );
    await writeFile(join(program.home, "body"), body);
    const { exit, stdout } = await program.run([
      "notifications",
      "verify",
      `--header=${fresh(body)}`,
      "--body",
      "@body",
    ]);
    expect(exit).toBe(0);
    expect(stdout).toContain('"payload":{"id":12345678901234567890,"2":0.10,"1":"\\u202e"}}');
    expect(await readdir(program.home)).toEqual(["body"]);
  });

  test("a body from standard input, the secret from a file; a body that is not JSON has no payload", async () => {
    await using program = await open({});
    await writeFile(join(program.home, "secret"), `${SECRET}\n`, { mode: 0o600 });
    const env = { LEDGER_ENTERPRISE_WEBHOOK_SECRET_FILE: join(program.home, "secret") };
    const header = fresh(new TextEncoder().encode("no json"));
    const argv = ["notifications", "verify", "--header", header, "--body", "-"];
    const answer = await program.succeed(argv, { env, stdin: "no json" });
    expect(answer).toMatchObject({ verified: true, payload: null });
    const { hint } = await program.fail(argv, 2, "INVALID_SIGNATURE", { env, stdin: "no json\n" });
    expect(hint).toBe("Do not act on this notification.");
  });

  test("needs its secret, one source for it, and a body that no shell has touched", async () => {
    await using program = await open({});
    const argv = ["notifications", "verify", "--header", "t=1,v1=0", "--body", "-"];
    expect((await program.fail(argv, 2, "MISSING_CREDENTIALS")).message).toContain(
      "LEDGER_ENTERPRISE_WEBHOOK_SECRET",
    );
    const env = {
      LEDGER_ENTERPRISE_WEBHOOK_SECRET: SECRET,
      LEDGER_ENTERPRISE_WEBHOOK_SECRET_FILE: "/x",
    };
    await program.fail(argv, 2, "CONFIG_CONFLICT", { env });
    await program.fail([...argv.slice(0, -1), "{}"], 2, "INVALID_ARGUMENT");
    await program.fail(argv.slice(0, 4), 2, "MISSING_OPTION");
  });

  test("offline: it works while the version gate and the API cannot be reached, and reads no session", async () => {
    await using program = await open({
      LEDGER_ENTERPRISE_WEBHOOK_SECRET: SECRET,
      LEDGER_ENTERPRISE_API_URL: "http://127.0.0.1:9",
      LEDGER_ENTERPRISE_READ_ONLY: "1",
    });
    await writeFile(join(program.home, "body"), BODY);
    await program.succeed(["notifications", "verify", "--header", fresh(BODY), "--body", "@body"]);
  });
});
