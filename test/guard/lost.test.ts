/** A write through a guard is told to a person when its answer is not printed, or not awaited. */
import { expect } from "bun:test";
import { until } from "../support/waiting.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import { AGENT_UID, asUser, openTwoUsers, payment, SOURCE_COMMAND } from "./twousers.ts";

type Two = Awaited<ReturnType<typeof openTwoUsers>>;

const lost = withTwoUsers("a guard's lost answers");

const INTO = {
  "a full device": '"$@" >/dev/full',
  // The reader has gone before the program starts.
  "a pipe that was closed": 'exec 3> >(true); wait $!; "$@" >&3 3>&-',
};

function start(two: Two, line: string, argv: readonly string[]) {
  const shell = ["bash", "-c", line, "bash", ...SOURCE_COMMAND, ...argv];
  return Bun.spawn(asUser(AGENT_UID, shell), {
    ...{ cwd: "/", env: two.agentEnv, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  });
}

function told(id: string, what: string): RegExp {
  return new RegExp(
    `^OUTPUT_ERROR: Request ${id} ${what} \\(key [0-9A-Z]{26}\\), but the result could not be printed\\. Do not repeat the command\\.\n$`,
  );
}

for (const [name, line] of Object.entries(INTO))
  lost(
    `M3 what a guard carried out is said on stderr: ${name}`,
    async () => {
      await using two = await openTwoUsers();
      const run = async (...argv: string[]) => {
        const child = start(two, line, argv);
        const stderr = await new Response(child.stderr).text();
        return [await child.exited, stderr];
      };
      const create = ["requests", "create", "--requestData", payment("1000")];
      expect(await run(...create, "--dryRun")).toEqual([1, ""]);
      const made = await run(...create);
      expect(made).toEqual([1, expect.stringMatching(told("[0-9a-f-]{36}", "was created"))]);
      const id = /[0-9a-f-]{36}/.exec(String(made[1]))?.[0] ?? "";
      expect(await run("requests", "approve", "api", "--id", id, "--sign")).toEqual([
        1,
        expect.stringMatching(told(id, "was approved")),
      ]);
      const { document } = await two.agent("requests", "journal");
      const states = (document.results as { state: string }[]).map(({ state }) => state);
      // The signature and the approval are records of their own.
      expect(states).toEqual(["done", "done", "done"]);
    },
    LONG_MS,
  );

lost(
  "OUT-8 a signal while the guard sends a write: stderr names the key of the journal",
  async () => {
    await using two = await openTwoUsers();
    const { control } = two.sandbox;
    control.addFault({ match: { method: "POST", path: "/requests" }, latencyMs: 1e9 });
    const child = start(two, 'exec "$@"', [
      ...["requests", "create", "--requestData", payment("1000")],
    ]);
    const isSent = () =>
      control.log.some(({ method, path }) => method === "POST" && path.endsWith("/requests"));
    await until(isSent);
    child.kill("SIGTERM");
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    expect([child.signalCode, stdout]).toEqual(["SIGTERM", ""]);
    const key = /^OUTCOME_UNKNOWN: .* 'requests reconcile --key ([0-9A-Z]{26})'/m.exec(stderr)?.[1];
    control.clearFaults();
    const { document } = await two.agent("requests", "journal");
    expect(document.results).toMatchObject([{ key, state: expect.any(String) }]);
  },
  LONG_MS,
);
