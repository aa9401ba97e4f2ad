/** What the configuration holds is known as secret before anything can print it (SEC-1). */
import { expect, test } from "bun:test";
import { Config, type Environment } from "../../src/core/auth/config.ts";

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
    expect(learnt.sort()).toEqual(
      ["canary%40pass", "canary-user", "canary-user", "canary@pass"].sort(),
    );
  },
);
