/** What the configuration holds is known as secret before anything can print it (SEC-1). */
import { describe, expect, test } from "bun:test";
import { Config } from "../../../src/core/auth/config.ts";
import { stateDirectory } from "../../../src/core/auth/stateplace.ts";
import type { Environment } from "../../../src/core/auth/values.ts";
import { failureOf } from "../../support/failure.ts";

function learntFrom(
  env: Environment,
  use: (config: Config) => unknown = () => undefined,
): string[] {
  const learnt: string[] = [];
  const config = new Config({
    env,
    readFile: () => Promise.reject(new Error("no file")),
    learn: (secret) => void learnt.push(secret),
  });
  use(config);
  return learnt;
}

test.each(["API_KEY_SECRET", "API_PRIVATE_KEY", "REPORTING_API_KEY", "WEBHOOK_SECRET"])(
  "SEC-1 LEDGER_ENTERPRISE_%s is known from the start",
  (name) => {
    expect(learntFrom({ [`LEDGER_ENTERPRISE_${name}`]: " canary-value " })).toEqual([
      "canary-value",
    ]);
  },
);

test.each(["HTTPS_PROXY", "https_proxy"])(
  "SEC-1 NET-10 the credentials in %s are known, in both spellings",
  (name) => {
    const learnt = learntFrom(
      { [name]: "http://canary-user:canary%40pass@proxy.example:3128" },
      (config) => config.checkProxies(),
    );
    expect(learnt.sort()).toEqual(["canary%40pass", "canary-user", "canary@pass"].sort());
  },
);

describe("SES-1 state folder", () => {
  const STATE = "LEDGER_ENTERPRISE_STATE_DIR";
  test.each([
    [{}, "/home/a", "linux", "/home/a/.local/state/ledger-enterprise-cli"],
    [{}, "/home/a b/é\n", "linux", "/home/a b/é\n/.local/state/ledger-enterprise-cli"],
    [{ XDG_STATE_HOME: "/x" }, "/home/a", "linux", "/x/ledger-enterprise-cli"],
    [{ XDG_STATE_HOME: "" }, "/home/a", "linux", "/home/a/.local/state/ledger-enterprise-cli"],
    [{ XDG_STATE_HOME: "/x" }, undefined, "linux", "/x/ledger-enterprise-cli"],
    [{ [STATE]: "/s/t/", XDG_STATE_HOME: "/x" }, "/home/a", "linux", "/s/t"],
    [{ [STATE]: " " }, "/home/a", "linux", "/home/a/.local/state/ledger-enterprise-cli"],
    [{}, "/Users/a", "darwin", "/Users/a/Library/Application Support/ledger-enterprise-cli"],
    [{ XDG_STATE_HOME: "/x" }, "/Users/a", "darwin", "/x/ledger-enterprise-cli"],
    [{ LOCALAPPDATA: "C:\\L" }, "C:\\Users\\a", "win32", "C:\\L\\ledger-enterprise-cli"],
    [{}, "C:\\Users\\a", "win32", "C:\\Users\\a\\AppData\\Local\\ledger-enterprise-cli"],
  ] as const)("%j, home %j on %s → %j", (env, home, platform, expected) => {
    expect(stateDirectory(env, home, platform)).toBe(expected);
  });

  test("B15 a relative XDG_STATE_HOME is ignored", () => {
    expect(stateDirectory({ XDG_STATE_HOME: "relative/path" }, "/home/a", "linux")).toBe(
      "/home/a/.local/state/ledger-enterprise-cli",
    );
  });

  test.each(["relative", "./x", "~/x"])("a relative state folder %s is refused", (path) => {
    const failure = failureOf(() => stateDirectory({ [STATE]: path }, "/home/a", "linux"));
    expect([failure.code, failure.facts.field]).toEqual(["INVALID_PATH", STATE]);
  });

  test.each([undefined, "", "relative", "/"])(
    "B14 home %j: a clear error, never the current directory or /",
    (home) => {
      expect(failureOf(() => stateDirectory({}, home, "linux")).code).toBe("SESSION_IO");
    },
  );
});

describe("a place whose name is not UTF-8", () => {
  test.each([
    ["LEDGER_ENTERPRISE_STATE_DIR", "linux", { LEDGER_ENTERPRISE_STATE_DIR: "/s/\ufffd" }],
    ["XDG_STATE_HOME", "linux", { XDG_STATE_HOME: "/x/\ufffd" }],
    ["LOCALAPPDATA", "win32", { LOCALAPPDATA: "C:\\\ufffd" }],
    ["HOME", "linux", {}],
  ])("P4 in %s is refused and the variable named", async (field, platform, env) => {
    const failure = await failureOf(() => stateDirectory(env, "/home/\ufffd", platform));
    expect([failure.code, failure.facts.field]).toEqual(["INVALID_PATH", field]);
    expect(failure.facts.message).toBe(`${field} is not valid UTF-8.`);
  });
});
