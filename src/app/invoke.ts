/**
 * One command and its values → its result, apart from how it was asked for: a command line, an MCP
 * client and a guard all come through here. Nothing assumes that a process runs one command: each
 * run has its own settings, secrets, clock, session and signer.
 */
import type { InputReader } from "../cli/argument.ts";
import type { Command } from "../cli/command.ts";
import { changes } from "../cli/effect.ts";
import { ApiClock } from "../core/api/clock.ts";
import { Config } from "../core/auth/config.ts";
import type { ProgramHost } from "../core/auth/program.ts";
import { stateDirectory } from "../core/auth/stateplace.ts";
import { StateFolder } from "../core/state/folder.ts";
import { SessionStore } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import { readInputFile, readStdin } from "../io/input.ts";
import type { Redactor } from "../io/redact.ts";
import type { Runtime } from "../io/runtime.ts";
import { PROGRAM, VERSION } from "../version.ts";
import type { Context } from "../world.ts";
import { provide } from "./capabilities.ts";
import { Deadline } from "./deadline.ts";
import { passGate } from "./gate.ts";
import { openActs } from "./makers/acts.ts";
import { noteRefusal, openBooks } from "./makers/books.ts";
import { openKey } from "./makers/signing.ts";
import type { Load, Occasion, Run } from "./occasion.ts";

/** The settings of a run; the redactor knows each secret of the environment from here on. */
export function openConfig(context: Context, redactor: Pick<Redactor, "learn">): Config {
  return new Config({
    env: context.env,
    uid: context.uid,
    readFile: readInputFile,
    learn: (secret) => redactor.learn(secret),
  });
}

/** Makes a run; its time starts when `invoke` knows it. The caller clears `run.deadline`. */
export function openRun(occasion: Occasion): Run {
  const { context, redactor, log, config } = occasion;
  const own = occasion.interrupt === undefined ? [] : [occasion.interrupt];
  const deadline = new Deadline(undefined, AbortSignal.any([context.interrupt, ...own]));
  const { now, sleep, fetch } = context;
  const patiently = <T>(work: () => Promise<T>) => deadline.pausedDuring(work);
  const userAgent = `${PROGRAM}/${VERSION}`;
  const proxyOf = (url: URL) => config.proxyOf(url);
  const { service } = occasion;
  const apiClock = service?.clock ?? new ApiClock(now, () => performance.now());
  const loads: Load[] = [];
  const runtime = {
    now,
    sleep,
    fetch,
    proxyOf,
    log,
    redactor,
    userAgent,
    stop: deadline.signal,
    patiently,
    sawDate: (date: string | null) => apiClock.saw(date),
    waiting: () => loads.splice(0).forEach(begin),
  };
  const state = once(() => openState(context, runtime));
  const sessions = once(
    () =>
      service?.sessions({ runtime, config }, state()) ??
      new SessionStore(state(), runtime, (one) => occasion.oversight?.accepts(one)),
  );
  const access = once(() => {
    config.checkProxies();
    return { runtime, config, sessions: sessions() };
  });
  const input = openInput(context, config, runtime);
  const books = once(async () => service?.books ?? openBooks(occasion, state()));
  const acts = once(() =>
    openActs(occasion, books, {
      ...{ access, clock: apiClock, state },
      timeLeftMs: () => deadline.timeLeftMs(),
    }),
  );
  const program: ProgramHost = { uid: context.uid, runtime };
  config.runtime = runtime;
  config.secretCommand = async (text, field, environment) => {
    const [{ parseProgram, withEnvironment }, { secretFrom }] = await Promise.all([
      import("../core/auth/program.ts"),
      import("../core/auth/secretcommand.ts"),
    ]);
    return secretFrom(withEnvironment(parseProgram(text, field), environment), field, program);
  };
  const key = once(() => openKey({ config, redactor, program }));
  const guard = service === undefined ? config.plain("GUARD") : undefined;
  const whileWaiting = (load: Load) => void loads.push(load);
  const made = { deadline, guard, runtime, input, program, whileWaiting };
  return { ...occasion, ...made, apiClock, state, sessions, access, books, acts, key };
}

/** A failure shows where the module is used. */
function begin(load: Load): void {
  load().catch(() => undefined);
}

/** Makes a value at its first use, and returns the same one afterwards. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function openState(context: Context, runtime: Runtime): StateFolder {
  const { uid, pid, hostname, isAlive, env, home, platform } = context;
  const path = stateDirectory(env, home, platform);
  return new StateFolder({ path, uid, pid, hostname, isAlive }, runtime);
}

/**
 * Never reads a file that holds a configured secret; standard input once, never a terminal (C19).
 */
function openInput(context: Context, config: Config, { redactor, stop }: Runtime): InputReader {
  let used = false;
  return {
    mayQuote: (text) => redactor.clean(text) === text,
    file: (path, maxBytes) =>
      readInputFile(path, maxBytes, { secretFiles: config.secretFiles(), stop }),
    stdin(maxBytes) {
      if (used)
        throw new CliError("INVALID_ARGUMENT", {
          message: "Standard input can be read by one option only.",
        });
      used = true;
      return readStdin(context.stdin, maxBytes, stop);
    },
  };
}

/** The command as it was asked for. */
export interface Asked {
  readonly command: Command;
  /** A dry run keeps nothing, a refusal neither. */
  readonly isDryRun?: boolean;
  /** The time for the whole command; one with a time of its own has it from its values. */
  readonly timeoutMs: number;
  /** Its values; what reading them waits for is part of its time. */
  values(input: InputReader): Promise<Values> | Values;
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Refuses what may not run, bounds its time, passes the version gate, makes what the command needs,
 * and runs it, or its dry run. Returns the command's result. Throws READ_ONLY, VERSION_OUTDATED,
 * and the codes of the command. Nothing of the command happens before all of that is decided.
 */
export async function invoke(asked: Asked, run: Run): Promise<unknown> {
  const { command } = asked;
  if (run.config.isInsideHelper) {
    throw new CliError("NOT_SUPPORTED", {
      message: "A signer or secret command of this program started this program.",
      hint: "Name a program in LEDGER_ENTERPRISE_SIGNER and the _COMMAND variables that does not start this one.",
    });
  }
  if (run.config.readOnly && changes(command.effect)) {
    const { readOnly } = await import("../core/policy/stage.ts");
    const refusal = readOnly(run.name, command.effect === "sign");
    if (asked.isDryRun !== true) await noteRefusal(run, refusal);
    throw refusal;
  }
  run.deadline.limitTo(asked.timeoutMs);
  const values = await asked.values(run.input);
  if (hasOwnTime(command)) run.deadline.limitTo(ownTimeMs(values) ?? timeBehind(asked, run));
  // The guard looks for newer versions, and only reports them.
  if (!command.ungated && run.guard === undefined) await passGate(run);
  const acting = values.dryRun === true && command.dryRun !== undefined ? command.dryRun : command;
  const capabilities = await provide(acting.needs, run);
  return await acting.run(capabilities as never, values as never);
}

function hasOwnTime({ args, effect }: Command): boolean {
  return Object.hasOwn(args, "timeout") || effect === "local";
}

/** Work of this machine has no end, but an answer that a guard owes it does. */
function timeBehind({ command, timeoutMs }: Asked, { guard }: Run): number | undefined {
  return guard === undefined || command.serves ? undefined : timeoutMs;
}

function ownTimeMs({ timeout }: Values): number | undefined {
  return typeof timeout === "number" ? timeout * 1000 : undefined;
}
