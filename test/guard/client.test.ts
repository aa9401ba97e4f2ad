/** What a client makes of a guard's answer that it cannot read. */
import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { ask } from "../../src/guard/client.ts";
import type { Asked } from "../../src/guard/request.ts";
import { Log } from "../../src/io/log.ts";
import { Redactor } from "../../src/io/redact.ts";
import { failing } from "../support/acts.ts";
import { trustedFolder } from "../support/trusted.ts";

const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const READ = { verb: "read", operation: "accounts.list", parameters: {} } as unknown as Asked;
const CREATE = { verb: "create", dryRun: false } as unknown as Asked;
const KEY = '{"v":1,"key":"01M8MQV9Y2MRPNACR59ZZVBW4F"}\n';
const framed = (isOk: boolean, document: string) =>
  `{"v":1,"ok":${isOk},"warnings":[],"length":${document.length}}\n${document}`;

/** Asks a guard that answers every request with this. */
async function refusalOf(asked: Asked, answer: string) {
  const path = join(folder, "guard.sock");
  const server = createServer((socket) => {
    socket.on("error", () => undefined).once("data", () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const sink = { write: async () => undefined };
  const log = new Log({
    ...{ sink, redactor: new Redactor(), debug: false, timestamps: false, clock: Date.now },
  });
  const link = { path, uid: 0, stop: AbortSignal.timeout(5_000), log, early: undefined };
  try {
    return await failing(ask(link, asked, asked.verb === "read" ? undefined : "{}"));
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

const UNREADABLE = {
  "a line that is no answer": '{"v":2}\n',
  "a line of junk": "\u0000\u0001\n",
  "a line without an end": "x".repeat(200_000),
  "a document that is not JSON": framed(true, "{"),
  "a failure with a code of a later version": framed(false, '{"code":"NEWER","message":"x"}'),
  "a failure that is none": framed(false, "[]"),
  "nothing more": "",
};

test.each(Object.entries(UNREADABLE))(
  "A15 a write that the guard keeps, and then %s: OUTCOME_UNKNOWN with its key",
  async (_, answer) => {
    const { code, facts } = await refusalOf(CREATE, KEY + answer);
    expect([code, facts.details]).toMatchObject([
      "OUTCOME_UNKNOWN",
      { key: "01M8MQV9Y2MRPNACR59ZZVBW4F" },
    ]);
  },
);

test.each(Object.entries(UNREADABLE))(
  "A15 a write that the guard did not keep, and %s: no outcome is in doubt",
  async (_, answer) => {
    const { code } = await refusalOf(CREATE, answer);
    expect(["GUARD_INCOMPATIBLE", "GUARD_UNREACHABLE", "INVALID_JSON"]).toContain(code);
  },
);

test("A15 a key before the answer of a read is no answer", async () => {
  const { code } = await refusalOf(READ, KEY + framed(true, "{}"));
  expect(code).toBe("GUARD_INCOMPATIBLE");
});
