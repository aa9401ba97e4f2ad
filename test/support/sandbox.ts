/**
 * The counterpart of a script: a sandbox that answers the same in every run, and places where no
 * newer version is published.
 */
import { createHash } from "node:crypto";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import type { Counterpart } from "./play.ts";
import { NOTHING_PUBLISHED } from "./releases.ts";

/** The sandbox's clock stays at this moment or the given one, but for `sandbox advance`. */
export const START = Date.parse("2026-03-02T10:00:00Z");

/** Bytes of SHA-256(0), SHA-256(1), … : the same keys, ids and challenges in every run. */
export function countedBytes(): (bytes: number) => Uint8Array {
  let block = 0;
  return (bytes) => {
    const parts: Buffer[] = [];
    for (let length = 0; length < bytes; length += 32) {
      parts.push(createHash("sha256").update(`${block}`).digest());
      block += 1;
    }
    return new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
  };
}

/**
 * A sandbox with a still clock and counted randomness, and the environment that points the program
 * at it.
 */
export async function openSandbox(start = START): Promise<Counterpart> {
  let aheadSeconds = 0;
  const sandbox = await startSandbox({
    clock: () => start + aheadSeconds * 1000,
    random: countedBytes(),
  });
  const { baseUrls } = sandbox.description;
  const environment = {
    ...operatorSettings(sandbox.description),
    ...NOTHING_PUBLISHED,
  };
  const verbs = verbsOf(sandbox, (seconds) => {
    aheadSeconds += seconds;
  });
  return {
    environment: { ...environment, ORIGIN: new URL(baseUrls.v2).origin },
    async control(verb, rest) {
      const act = verbs[verb];
      if (act === undefined)
        throw new Error(`'sandbox ${verb}' is none of: ${Object.keys(verbs).join(", ")}.`);
      act(rest);
    },
    async [Symbol.asyncDispose]() {
      await sandbox.close();
    },
  };
}

/** What a summary reads beside the decisive calls. */
export const OF_A_SUMMARY = /^GET \/(assets\/|whitelists\?|accounts\?)/;

/**
 * Calls as a script spells them. Neighbouring reads may be on the way together: they are in the
 * order of the alphabet.
 */
export function spelled(calls: readonly string[]): string {
  const runs: string[][] = [[]];
  for (const call of calls) {
    if (call.startsWith("GET ")) runs.at(-1)?.push(call);
    else runs.push([call], []);
  }
  return runs.flatMap((run) => run.sort()).join("; ") || "none";
}

/** What a script can tell the sandbox: `sandbox <verb> <rest>`. */
function verbsOf(
  { control, description }: Sandbox,
  advance: (seconds: number) => void,
): Record<string, (rest: string) => void> {
  const { pathname } = new URL(description.baseUrls.v2);
  const expectCalls = (rest: string, isOfInterest: (call: string) => boolean): void => {
    const calls = control.log.map(({ method, path, query }) => {
      return `${method} ${path.startsWith(pathname) ? path.slice(pathname.length) : path}${query === "" ? "" : `?${query}`}`;
    });
    control.clearLog();
    const found = spelled(calls.filter(isOfInterest));
    if (found !== spelled(rest === "none" ? [] : rest.split("; ")))
      throw new Error(`The sandbox was called otherwise.\nexpected: ${rest}\nfound:    ${found}`);
  };
  return {
    /** `advance 301`: seconds pass on the server. */
    advance: (rest) => advance(Number(rest)),
    /** `fault {"match":{"path":"/accounts"},"status":503}`: see src/sandbox/faults.ts. */
    fault: (rest) => control.addFault(JSON.parse(rest)),
    /** `set {"freshChallenges":true}`: see Switches there. */
    set: (rest) => control.set(JSON.parse(rest)),
    /** `review <request> <user> APPROVE|REJECT`: somebody else decides. */
    review: (rest) => {
      const [request = "", user = "", decision] = rest.split(" ");
      control.review(request, user, decision === "REJECT" ? "REJECT" : "APPROVE");
    },
    /** `forget`: the calls so far are of no interest. */
    forget: () => control.clearLog(),
    /**
     * `calls GET /accounts?page=1; POST /requests`, or `calls none`: exactly these came since the
     * last such line.
     */
    calls: (rest) => expectCalls(rest, () => true),
    /** The same without what a summary reads: lists, which are read beside the others. */
    decisive: (rest) => expectCalls(rest, (call) => !OF_A_SUMMARY.test(call)),
  };
}
