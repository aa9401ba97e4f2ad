/** A runtime whose clock does not move and whose network is a test's. */

import { StateFolder } from "../../src/core/state/folder.ts";
import { Log } from "../../src/io/log.ts";
import { Redactor } from "../../src/io/redact.ts";
import type { Runtime } from "../../src/io/runtime.ts";

/** Time is 0, waiting takes none, nothing stops, and lines are lost. */
export function runtimeWith(changes: Partial<Runtime> = {}): Runtime {
  const redactor = changes.redactor ?? new Redactor();
  const now = changes.now ?? (() => 0);
  const sink = { write: async () => undefined };
  return {
    now,
    sleep: async () => undefined,
    stop: new AbortController().signal,
    patiently: (work) => work(),
    fetch: noNetwork,
    log: new Log({ sink, redactor, debug: false, timestamps: false, clock: now }),
    redactor,
    userAgent: "test",
    proxyOf: () => undefined,
    ...changes,
  };
}

/** The state folder at `path`, of this user and process. */
export function stateAt(path: string, runtime: Runtime): StateFolder {
  const owner = {
    uid: process.getuid?.(),
    pid: process.pid,
    hostname: "here",
    isAlive: () => true,
  };
  return new StateFolder({ path, ...owner }, runtime);
}

const noNetwork: typeof globalThis.fetch = Object.assign(
  () => Promise.reject(new Error("no network")),
  { preconnect: () => undefined },
);
