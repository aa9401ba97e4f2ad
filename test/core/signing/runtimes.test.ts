import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notRun, placeOf } from "../../support/given.ts";
import { outcomes, wycheproof } from "../../support/signing-outcomes.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const WYCHEPROOF = placeOf(
  "TEST_VECTORS",
  "crypto/wycheproof_ecdsa_secp256r1_sha256_p1363_test.json",
);
const folder = mkdtempSync(join(tmpdir(), "signing-"));

beforeAll(async () => {
  const entrypoints = [join(ROOT, "test/support/signing-outcomes.ts")];
  const built = await Bun.build({ entrypoints, target: "node", outdir: folder, splitting: true });
  if (!built.success) throw new AggregateError(built.logs, "the bundle was not made");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The result of one exported function of the bundle on this runtime. */
function ask(node: string, call: string): unknown {
  const script = `import(${JSON.stringify(join(folder, "signing-outcomes.js"))}).then(async (m) => console.log(JSON.stringify(await ${call})))`;
  const { exitCode, stdout, stderr } = Bun.spawnSync([node, "-e", script], { env: {} });
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  return JSON.parse(stdout.toString());
}

describe("KEY-3 every runtime accepts, refuses and signs the same", () => {
  test("the outcomes themselves are what they should be, on Bun", async () => {
    const here = await outcomes();
    expect(Object.values(here).filter((line) => line.startsWith("unexpected"))).toEqual([]);
    expect(here["key scalar zero"]).toStartWith("INVALID_PRIVATE_KEY");
    expect(here["key scalar of all ones"]).toStartWith("INVALID_PRIVATE_KEY");
    expect(here["key secp256k1"]).toStartWith("UNSUPPORTED_KEY");
    expect(here["key another public half"]).toStartWith("INVALID_PRIVATE_KEY");
    expect(here["key no public half"]).toMatch(/^04[0-9a-f]{128}$/);
    expect(here["off curve"]).toBe("undefined");
  });

  for (const version of ["22", "26"]) {
    const node = join(ROOT, `node_modules/node${version}/bin/node`);
    if (!existsSync(node)) {
      test.skipIf(true)(
        `Node ${version}: all outcomes are Bun's (not run: it is not installed)`,
        () => undefined,
      );
      continue;
    }
    test(`Node ${version}: all key, challenge, sign and review outcomes are Bun's`, async () => {
      expect(ask(node, "m.outcomes()")).toEqual(await outcomes());
    });

    test.skipIf(WYCHEPROOF === undefined)(
      `Node ${version}: all 262 Wycheproof verifications agree${WYCHEPROOF === undefined ? notRun("TEST_VECTORS", "crypto/") : ""}`,
      () => {
        const text = readFileSync(WYCHEPROOF ?? "", "utf8");
        expect(
          ask(
            node,
            `m.wycheproof(require("node:fs").readFileSync(${JSON.stringify(WYCHEPROOF)}, "utf8"))`,
          ),
        ).toBe(wycheproof(text));
        expect(JSON.parse(wycheproof(text))).toEqual({ count: 262, wrong: [] });
      },
    );
  }
});
