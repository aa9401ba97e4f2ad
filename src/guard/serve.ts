/**
 * Starting a guard, in the one order in which nothing can be had before it is safe, and its life.
 */
import { readFileSync } from "node:fs";
import type { Run } from "../app/occasion.ts";
import type { ApiVersion } from "../core/api/dialect.ts";
import type { Config } from "../core/auth/config.ts";
import { CliError } from "../errors.ts";
import { Serving } from "../result.ts";
import { VERSION } from "../version.ts";
import { Desk } from "./desk.ts";
import { House } from "./house.ts";
import { Allowances } from "./limits.ts";
import { loadVerbs } from "./load.ts";
import { openPeerReader, type PeerReader } from "./peer.ts";
import { cannotSee, requirePlatform, servedBy } from "./platform.ts";
import { type Place, Server } from "./server.ts";
import { Watch } from "./watch.ts";

/** How a guard is started. */
export interface ServeOptions {
  /** Path of its socket; undefined where the service manager opened one. */
  readonly socket: string | undefined;
  /** Users that it serves. */
  readonly allowUid: readonly number[];
  /** Found from the URL when undefined. */
  readonly apiVersion: ApiVersion | undefined;
}

/** The descriptor that service managers hand over first. */
const FIRST_DESCRIPTOR = 3;
const LOGIN_AT_START_MS = 5_000;

/**
 * Serves until stopped. Throws NOT_SUPPORTED, INVALID_ARGUMENT, GUARD_INSECURE, GUARD_NOT_ADOPTED,
 * POLICY_INVALID, POLICY_INSECURE, LOCK_TIMEOUT, IO_ERROR and the codes of the logs.
 */
export async function serve(options: ServeOptions, run: Run): Promise<Serving> {
  requirePlatform(run);
  const peers = await openPeerReader();
  if (peers === undefined) throw cannotSee();
  requireUids(options.allowUid, run);
  requireCredentials(run.config);
  const place = placeOf(options, run, peers);
  const hardStop = new AbortController();
  const elapsed = (): number => performance.now();
  const house = await House.open(run, hardStop.signal, elapsed, options.apiVersion);
  house.policies(run);
  await house.learnSecrets();
  await run.state().prepare();
  return new Promise((resolve, reject) => {
    // Held for as long as it serves.
    const held = run.state().lock("guard", () => hold(), { timeoutMs: 0 });
    const hold = async (): Promise<void> => {
      const { server, watch } = await open(house, options, place, peers);
      const ended = run.context.interrupt;
      const document = {
        version: VERSION,
        guard: { socket: options.socket ?? null, uid: run.context.uid, allowUid: options.allowUid },
      };
      resolve(new Serving(document, done, true));
      await untilAborted(ended);
      watch.stop();
      await server.close(() => hardStop.abort());
      // The rounds are over: those since the last one would never be told.
      await watch.tellRefusals().catch(() => undefined);
    };
    const done = held.catch((cause: unknown) => {
      reject(servedBy(cause));
    });
  });
}

/** Checks what is there, loads everything, and only then listens. */
async function open(
  house: House,
  { allowUid }: ServeOptions,
  place: Place,
  peers: PeerReader,
): Promise<{ readonly server: Server; readonly watch: Watch }> {
  house.requireAdopted();
  const started = house.openRun("guard serve");
  await requireScope(house, started);
  await loadVerbs();
  const allowances = new Allowances(house.elapsed);
  const desk = new Desk(house);
  const server = new Server({
    allowedUids: new Set(allowUid),
    allowances,
    peerOf: (socket) => peers.peerOf(socket),
    answer: (request, document, caller) => desk.answer(request, document, caller),
    async denied(peer, { code, exit }) {
      if (!allowances.of(peer?.uid ?? -1).mayTell()) return;
      const agent = { uid: peer?.uid, pid: peer?.pid ?? 0 };
      await house.books.note({
        ...{ event: "denied", command: "guard", agent, result: { code, exit } },
      });
    },
  });
  const watch = new Watch(house, allowances);
  await server.listen(place);
  watch.start();
  return { server, watch };
}

/**
 * What a stored session, or a login that answers soon, says of the user must be what was adopted.
 */
async function requireScope(house: House, run: Run): Promise<void> {
  const { endpoint, workspace } = run.config.configured();
  const { scope } = house.requireAdopted();
  const own = { ...endpoint, workspace };
  for (const name of ["origin", "basePath", "workspace"] as const) {
    if (scope === undefined || own[name] === undefined || own[name] === scope[name]) continue;
    throw new CliError("GUARD_NOT_ADOPTED", {
      message: `The guard's journal is for another ${name} than its settings.`,
      details: { differs: name },
    });
  }
  run.deadline.limitTo(LOGIN_AT_START_MS);
  try {
    house.requireOwn(await run.sessions().recent());
  } catch (cause) {
    // It starts without a network, and without an API that answers.
    if (!(cause instanceof CliError) || cause.code === "GUARD_NOT_ADOPTED") throw cause;
    run.log.warn("GUARD_NOT_LOGGED_IN", `${cause.code}: ${cause.facts.message}`);
  } finally {
    run.deadline.clear();
  }
}

const OVERFLOW = "/proc/sys/kernel/overflowuid";

function requireUids(uids: readonly number[], { context }: Run): void {
  let overflow = 65_534;
  try {
    overflow = Number(readFileSync(OVERFLOW, "utf8"));
  } catch {
    // The kernel's default.
  }
  const refused: readonly (readonly [uid: number | undefined, why: string])[] = [
    [0, "root"],
    [context.uid, "the guard's own user"],
    [overflow, "everybody that the kernel cannot name"],
  ];
  if (uids.length === 0)
    throw new CliError("MISSING_OPTION", {
      message: "The guard needs at least one --allowUid.",
      field: "--allowUid",
    });
  const wrong = refused.find(([uid]) => uid !== undefined && uids.includes(uid));
  if (wrong === undefined) return;
  throw new CliError("INVALID_ARGUMENT", {
    message: `--allowUid ${wrong[0]} is ${wrong[1]}, which a guard does not serve.`,
    field: "--allowUid",
  });
}

function requireCredentials(config: Config): void {
  if (config.plain("AUDIT") !== "off") return;
  throw new CliError("CONFIG_CONFLICT", {
    message: "A guard does not switch its audit trail off.",
    field: "LEDGER_ENTERPRISE_AUDIT",
    hint: "Unset LEDGER_ENTERPRISE_AUDIT, or set it to ids or full.",
  });
}

/** The given path, or the descriptor that the service manager handed over. */
function placeOf({ socket }: ServeOptions, { config, context }: Run, peers: PeerReader): Place {
  const handed = config.handedDescriptors(context.pid);
  if (handed > 0 === (socket !== undefined)) {
    throw new CliError(socket === undefined ? "MISSING_OPTION" : "CONFIG_CONFLICT", {
      message:
        socket === undefined
          ? "The guard has no socket: give --socket, or start it by its socket unit."
          : "The service manager opened a socket, and --socket names another.",
      field: "--socket",
    });
  }
  if (socket !== undefined) return { path: socket };
  if (handed === 1 && peers.isListening(FIRST_DESCRIPTOR)) return { descriptor: FIRST_DESCRIPTOR };
  throw new CliError("GUARD_INSECURE", {
    message: "The descriptor that was handed over is not one listening unix socket.",
    hint: "Give the socket unit exactly one ListenStream= with a path.",
  });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
