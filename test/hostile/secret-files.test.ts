/**
 * P4: places and pipes; F5: a file with a key or a secret that others can read; F2: the file that
 * the sandbox writes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtForms, Program, SECRET } from "./program.ts";
import { RawApi } from "./raw-api.ts";

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    let secret: string;
    /** Apart from the home, in which no secret may lie. */
    let work: string;

    beforeAll(async () => {
      api = await RawApi.start();
      api.serve({});
      program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
      work = await mkdtemp(join(tmpdir(), "secrets-"));
      secret = join(work, "secret");
      writeFileSync(secret, SECRET);
      delete program.env.LEDGER_ENTERPRISE_API_KEY_SECRET;
      program.env.LEDGER_ENTERPRISE_API_KEY_SECRET_FILE = secret;
    });
    afterAll(async () => {
      await Promise.all([api, program].map((resource) => resource[Symbol.asyncDispose]()));
      await rm(work, { recursive: true });
    });

    const finding = async (): Promise<unknown> => {
      const { stdout } = await program.run(["doctor", "--offline"]);
      const document = JSON.parse(stdout);
      const { findings } = document.error?.details ?? document;
      return findings.find(({ check }: { check: string }) => check === "secretFiles");
    };

    test.each([0o644, 0o604, 0o602])("F5 mode %o is a warning and a finding", async (mode) => {
      chmodSync(secret, mode);
      const { exit, stderr } = await program.run(["login", "api"]);
      expect({ exit, stderr }).toEqual({
        exit: 0,
        stderr:
          "warning: SECRET_FILE_EXPOSED: Other users can read or change the file that LEDGER_ENTERPRISE_API_KEY_SECRET_FILE names: chmod 600.\n",
      });
      expect(await finding()).toMatchObject({
        status: "warn",
        message:
          "Other users can read or change the file that LEDGER_ENTERPRISE_API_KEY_SECRET_FILE names.",
      });
    });

    test("F5 mode 600 is neither", async () => {
      chmodSync(secret, 0o600);
      const { exit, stderr } = await program.run(["login", "api"]);
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      expect(await finding()).toMatchObject({ status: "ok" });
    });

    test.each(["HOME", "XDG_STATE_HOME", "LEDGER_ENTERPRISE_STATE_DIR"])(
      "P4 %s whose name is not UTF-8 is refused, named, and nothing is made",
      async (variable) => {
        const { exit, stdout } = await program.shell(
          `mkdir -p "$HOME/places"; cd "$HOME/places"; export ${variable}="$PWD"/$'h\\xe9'; exec "$@" login api`,
        );
        expect({ exit, ...JSON.parse(stdout).error }).toMatchObject({
          exit: 2,
          code: "INVALID_PATH",
          message: `${variable} is not valid UTF-8.`,
          field: variable,
        });
        expect(readdirSync(join(program.home, "places"))).toEqual([]);
      },
    );

    const FIFO = 'mkfifo "$HOME/pipe"; export LEDGER_ENTERPRISE_API_KEY_SECRET_FILE="$HOME/pipe"';

    test("P4 a secret from a named pipe whose writer comes later", async () => {
      const { exit } = await program.shell(
        `${FIFO}; { sleep 0.7; cat '${secret}' >"$HOME/pipe"; } & "$@" login api; code=$?; rm "$HOME/pipe"; exit $code`,
      );
      expect(exit).toBe(0);
    });

    test("P4 a named pipe without a writer ends with the command's time", async () => {
      const { exit, stdout } = await program.shell(
        `${FIFO}; "$@" login api --timeout 1; code=$?; rm "$HOME/pipe"; exit $code`,
      );
      expect({ exit, code: JSON.parse(stdout).error.code }).toEqual({ exit: 1, code: "TIMEOUT" });
    });

    test("P4 a variable that names an empty file is not called unset", async () => {
      const empty = join(program.home, "empty");
      writeFileSync(empty, "\n", { mode: 0o600 });
      const env = { LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: empty };
      const failure = await program.fail(["login", "api"], 2, "MISSING_CREDENTIALS", { env });
      expect(failure.message).toBe(
        "The file that LEDGER_ENTERPRISE_API_KEY_SECRET_FILE names is empty.",
      );
    });

    test("F2 the sandbox writes a file that a shell can source, for this user alone", async () => {
      const file = join(work, "sandbox.env");
      const child = program.start(["sandbox", "start", "--envFile", file]);
      const { value } = await child.stdout.getReader().read();
      const printed = JSON.parse(new TextDecoder().decode(value));
      expect(Object.keys(printed)).toEqual(["baseUrls", "workspace", "control", "page", "envFile"]);
      expect(printed.envFile).toBe(file);
      const lines = readFileSync(file, "utf8").split("\n");
      expect(lines.pop()).toBe("");
      expect(lines).toContain(`export LEDGER_ENTERPRISE_API_URL='${printed.baseUrls.v2}'`);
      for (const line of lines) expect(line).toMatch(/^export LEDGER_ENTERPRISE_\w+='[^']+'$/);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const { exit, stdout } = await program.shell(
        `unset LEDGER_ENTERPRISE_API_KEY_SECRET_FILE; . '${file}'; "$@" login api`,
      );
      expect({ exit, kind: JSON.parse(stdout).session?.kind }).toEqual({ exit: 0, kind: "api" });
      expect(existsSync(`${file}.state/session.json`)).toBe(true);
      await program.fail(["sandbox", "start", "--envFile", file], 2, "FILE_EXISTS");
      child.kill("SIGTERM");
      await child.exited;
      await program.run(["logout"]);
    });
  });
}
