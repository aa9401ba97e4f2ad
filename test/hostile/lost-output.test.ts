/** M3 A write that was carried out is told to a person when its answer cannot be printed. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import { APPROVE, CREATE, POSTED, routes, SIGNING } from "./payment.ts";
import { builtForms, closeAll, openLoggedIn, Program } from "./program.ts";
import { http, type RawApi } from "./raw-api.ts";

const LOST = [
  ["a full device", (line: string) => `${line} >/dev/full`],
  // The reader has gone before the program starts.
  ["a pipe that was closed", (line: string) => `exec 3> >(true); wait $!; ${line} >&3 3>&-`],
] as const;

function lineOf(argv: readonly string[]): string {
  return `"$@" ${argv.map((word) => `'${word}'`).join(" ")}`;
}

/** The one line, with the key of the journal. */
function said(what: string): unknown {
  const line = `^OUTPUT_ERROR: Request ${what} \\(key [0-9A-Z]{26}\\), but the result could not be printed\\. Do not repeat the command\\.\n$`;
  return expect.stringMatching(new RegExp(line));
}

const V1_PAYMENT = JSON.stringify({
  type: "CREATE_TRANSACTION",
  data: {
    account_id: 25,
    transaction_type: "BITCOIN_LIKE_SEND",
    fees_strategy: { type: "SPEED", data: { speed: "NORMAL" } },
    transaction_data: {
      ...{ account_name: "ClientA COL TBTC 1", amount: "2500000", currency: "bitcoin_testnet" },
      ...{ max_fees: "4018", recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq" },
    },
  },
});

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeEach(async () => {
      ({ api, program } = await openLoggedIn(form));
      api.serve(routes());
    });
    afterEach(() => closeAll(program, api));

    test.each(LOST)("M3 what was created is said on stderr: %s", async (_name, into) => {
      const outcome = await program.shell(into(lineOf(CREATE)));
      expect(outcome).toMatchObject({ exit: 1, stdout: "", stderr: said("R1 was created") });
      expect(api.count("POST /requests")).toBe(1);
    });

    test.each(LOST)(
      "M3 what was signed and approved is said on stderr: %s",
      async (_name, into) => {
        const outcome = await program.shell(into(lineOf(APPROVE)), SIGNING.env);
        expect(outcome).toMatchObject({ exit: 1, stdout: "", stderr: said("R1 was approved") });
        expect(api.count(POSTED)).toBe(1);
      },
    );

    test.each(LOST)(
      "M3 an approval by a given signature is said on stderr: %s",
      async (_n, into) => {
        const challenge = await program.succeed(["requests", "getChallenge", "--id", "R1"]);
        const sign = [
          "requests",
          "sign",
          "--challenge",
          (challenge as { challenge: string }).challenge,
        ];
        const { signature } = (await program.succeed(sign, SIGNING)) as { signature: string };
        const approve = ["requests", "approve", "api", "--id", "R1", "--signature", signature];
        const outcome = await program.shell(into(lineOf(approve)), SIGNING.env);
        expect(outcome).toMatchObject({ exit: 1, stdout: "", stderr: said("R1 was approved") });
        expect(api.count(POSTED)).toBe(1);
      },
    );

    test.each(LOST)("M3 an unknown outcome is said on stderr: %s", async (_name, into) => {
      api.serve(routes({ "POST /requests": [http("503 X", "")] }));
      const { exit, stdout, stderr } = await program.shell(into(lineOf(CREATE)));
      expect([exit, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^OUTCOME_UNKNOWN: .*503.*\n$/);
    });

    test.each(LOST)(
      "M3 a refusal that cannot be printed is not a deed: %s",
      async (_name, into) => {
        api.serve(
          routes({ "POST /requests": [http("403 X", '{"code":"FORBIDDEN","message":"m"}')] }),
        );
        const { exit, stdout, stderr } = await program.shell(into(lineOf(CREATE)));
        expect([exit, stdout, stderr]).toEqual([1, "", ""]);
      },
    );

    test("M3 an id from the server cannot forge a line", async () => {
      // An id that no command can take is none: it is not shown at all.
      const id = "R1\nOUTPUT_ERROR: Request R2 was created";
      api.serve(routes({ "POST /requests": [http("200 OK", JSON.stringify({ id }))] }));
      const { stderr } = await program.shell(`${lineOf(CREATE)} >/dev/full`);
      expect(stderr).toMatch(
        /^warning: RECORD_NOT_KEPT: .+\nOUTPUT_ERROR: A request without an id was created .+\n$/,
      );
      expect(stderr).not.toContain("R2");
      api.serve(
        routes({ "POST /requests": [http("200 OK", `{"id":"${"9".repeat(1_000_000)}"}`)] }),
      );
      const long = await program.shell(`${lineOf(CREATE)} >/dev/full`);
      expect(long.stderr.length).toBeLessThan(400);
    });

    test.each(LOST)("M3 a rejection on V1 is said on stderr: %s", async (_name, into) => {
      await using sandbox = await rejecting();
      await using v1 = await Program.at(form, sandbox.env);
      await v1.succeed(["login", "api", "--apiVersion", "v1"]);
      const raised = await v1.succeed(["requests", "create", "--requestData", V1_PAYMENT]);
      const id = String((raised as { id: number }).id);
      const outcome = await v1.shell(into(lineOf(["requests", "reject", "api", "--id", id])));
      expect(outcome).toMatchObject({ exit: 1, stdout: "", stderr: said(`${id} was rejected`) });
    });
  });
}

/** A sandbox by its V1 address. */
async function rejecting(): Promise<AsyncDisposable & { readonly env: Record<string, string> }> {
  const { description, close } = await startSandbox();
  return {
    env: {
      ...operatorSettings(description, "v1"),
    },
    [Symbol.asyncDispose]: close,
  };
}
