/**
 * A program that the configuration names: a signer, or a command that prints a secret. How it is
 * written, what it sees, whether it may be started, and what of its output may be shown.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { posix } from "node:path";
import { CliError } from "../../errors.ts";
import { errnoOf } from "../../io/errno.ts";
import { exact, JsonError, value } from "../../io/json.ts";
import { type Ended, runProgram } from "../../io/process.ts";
import { Redactor } from "../../io/redact.ts";
import type { Runtime } from "../../io/runtime.ts";
import { findDistrusted } from "../../io/trust.ts";
import { HELPER_MARKER } from "./values.ts";

/** A program as it is configured. */
export interface ProgramSetting {
  /** Absolute path. */
  readonly path: string;
  readonly args: readonly string[];
  /** The variables that it may see beside those that every program sees. */
  readonly names: readonly string[];
  /** 1 to 300 seconds. */
  readonly timeoutMs: number;
}

/** The same, with the environment that it gets. */
export interface ConfiguredProgram extends ProgramSetting {
  readonly env: Readonly<Record<string, string>>;
}

/** What starting a program needs of the run. */
export interface ProgramHost {
  readonly uid: number | undefined;
  readonly runtime: Pick<Runtime, "stop" | "patiently" | "redactor">;
}

const DEFAULT_TIMEOUT_SECONDS = 30;
const LONGEST_TIMEOUT_SECONDS = 300;
const OUTPUT_MAX_BYTES = 64 * 1024;
const SHOWN_CHARACTERS = 2048;

/** What every program sees of the environment. */
const PASSED_ON = ["HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
const FIXED = { PATH: "/usr/local/bin:/usr/bin:/bin", [HELPER_MARKER]: "1" };
/** Variables that make a program run something else, and ours, which hold credentials. */
const NEVER_PASSED =
  /^(PATH|ENV|BASH_ENV|BASH_FUNC_.*|LD_.*|DYLD_.*|NODE_OPTIONS|BUN_.*|LEDGER_ENTERPRISE_.*)$/;

/**
 * Reads a JSON array `["/absolute/program","argument"]`, one absolute path, or an object
 * `{"command":[…],"env":["NAME"],"timeoutSeconds":30}`. Throws INVALID_ARGUMENT, which never quotes
 * the value.
 */
export function parseProgram(text: string, field: string): ProgramSetting {
  const refuse = (message: string): CliError =>
    new CliError("INVALID_ARGUMENT", {
      message: `${field} ${message}`,
      hint: 'Write it as ["/absolute/program","argument"], or as {"command":[…],"env":["NAME"],"timeoutSeconds":30}.',
      field,
    });
  if (text.startsWith("/")) return settingOf({ command: [text] }, refuse);
  const document = parseJson(text, refuse);
  return settingOf(Array.isArray(document) ? { command: document } : document, refuse);
}

type Refuse = (message: string) => CliError;

function parseJson(text: string, refuse: Refuse): unknown {
  try {
    return value(exact(text));
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw refuse("is neither an absolute path nor JSON.");
  }
}

function settingOf(document: unknown, refuse: Refuse): ProgramSetting {
  if (typeof document !== "object" || document === null) throw refuse("is not an array or object.");
  const { command, env = [], timeoutSeconds, ...others } = document as Record<string, unknown>;
  if (Object.keys(others).length > 0)
    throw refuse("has a member other than command, env and timeoutSeconds.");
  if (!isTexts(command) || command.some((part) => part.includes("\0")))
    throw refuse("needs a command: an array of texts.");
  const [path = "", ...args] = command;
  if (!path.startsWith("/") || path.endsWith("/") || posix.normalize(path) !== path)
    throw refuse("names a program whose path is not absolute, or has '.', '..' or '//' in it.");
  if (!isTexts(env) || !env.every((name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)))
    throw refuse("has an env that is not an array of names of variables.");
  const forbidden = env.find((name) => NEVER_PASSED.test(name));
  if (forbidden !== undefined)
    throw refuse(`names ${forbidden} in env; a program never gets this variable.`);
  return { path, args, names: env, timeoutMs: secondsOf(timeoutSeconds, refuse) * 1000 };
}

function isTexts(candidate: unknown): candidate is string[] {
  return Array.isArray(candidate) && candidate.every((part) => typeof part === "string");
}

function secondsOf(seconds: unknown, refuse: Refuse): number {
  if (seconds === undefined) return DEFAULT_TIMEOUT_SECONDS;
  const isFine =
    typeof seconds === "number" &&
    Number.isInteger(seconds) &&
    seconds >= 1 &&
    seconds <= LONGEST_TIMEOUT_SECONDS;
  if (isFine) return seconds;
  throw refuse(`has a timeoutSeconds that is not a whole number from 1 to 300.`);
}

/** The setting with its environment: what every program sees, and the variables that it names. */
export function withEnvironment(
  setting: ProgramSetting,
  environment: Readonly<Record<string, string | undefined>>,
): ConfiguredProgram {
  const passed: Record<string, string> = {};
  for (const name of [...PASSED_ON, ...setting.names]) {
    const found = environment[name];
    if (found !== undefined) passed[name] = found;
  }
  return { ...setting, env: { ...passed, ...FIXED } };
}

/** Why a program is not started. */
export interface Obstacle {
  readonly kind: "unsupported" | "insecure" | "unusable";
  /** A whole sentence about "the program". */
  readonly message: string;
  readonly details: { readonly path: string; readonly reason?: string };
}

/**
 * What speaks against starting the program: it, or a folder on its path, can be changed by others;
 * it is missing, cannot be executed, or has no interpreter line. Undefined when nothing does.
 */
export function findObstacle(path: string, uid: number | undefined): Obstacle | undefined {
  if (uid === undefined) {
    const message = "A signer or secret command needs Linux or macOS.";
    return { kind: "unsupported", message, details: { path } };
  }
  try {
    const found = findDistrusted(path, uid);
    if (found !== undefined) {
      const part = found.path === path ? "the program" : "a folder or link on the program's path";
      const message = `Others can change ${part}: it ${found.reason}.`;
      return { kind: "insecure", message, details: { path: found.path } };
    }
    const message = faultOf(path);
    return message === undefined ? undefined : { kind: "unusable", message, details: { path } };
  } catch (cause) {
    const reason = errnoOf(cause);
    if (reason === "") throw cause;
    const message =
      reason === "ENOENT" || reason === "ENOTDIR"
        ? "The program does not exist."
        : "This user may not execute the program.";
    return { kind: "unusable", message, details: { path, reason } };
  }
}

function faultOf(path: string): string | undefined {
  if (!statSync(path).isFile()) return "The program is not a file.";
  accessSync(path, constants.X_OK);
  // Runtimes disagree about a file without an interpreter line: some hand it to a shell.
  return isRecognised(path)
    ? undefined
    : "The program is neither an executable nor a script that begins with '#!'.";
}

/** ELF, Mach-O in both byte orders and with several architectures, and scripts. */
const MAGIC = /^(7f454c46|feedface|feedfacf|cefaedfe|cffaedfe|cafebabe|2321)/;

function isRecognised(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY);
  } catch (cause) {
    // An interpreter must be able to read a script, so this is an executable.
    if (errnoOf(cause) === "EACCES") return true;
    throw cause;
  }
  try {
    const head = Buffer.alloc(4);
    const size = readSync(file, head, 0, head.length, 0);
    return MAGIC.test(head.subarray(0, size).toString("hex"));
  } finally {
    closeSync(file);
  }
}

/** Starts the program once, with `input`, within its own time. */
export function startProgram(
  { path, args, env, timeoutMs }: ConfiguredProgram,
  input: string,
  { runtime: { stop, patiently } }: ProgramHost,
): Promise<Ended> {
  const program = { path, args, env, input: Buffer.from(input) };
  return patiently(() => runProgram(program, { timeoutMs, maxBytes: OUTPUT_MAX_BYTES, stop }));
}

/** How the program ended, for `error.details`: exit code or signal, and the end of its stderr. */
export function endingFacts(
  { ending, stdout, stderr }: Ended,
  program: ConfiguredProgram,
  host: ProgramHost,
): Record<string, unknown> {
  const text = shownText(new TextDecoder().decode(stderr), stdout, program, host);
  return {
    ...(ending.kind === "exit" ? { exitCode: ending.exitCode } : {}),
    ...(ending.kind === "signal" ? { signal: ending.signal } : {}),
    ...(ending.kind === "unstartable" ? { reason: ending.reason } : {}),
    ...(text === "" ? {} : { stderr: text }),
  };
}

/**
 * The last 2,048 characters of a program's text. Masked before the cut: what the run knows as
 * secret, the variables that the program was given by name, and what it printed as its result.
 */
export function shownText(
  text: string,
  stdout: Uint8Array,
  { names, env }: ConfiguredProgram,
  host: ProgramHost,
): string {
  const own = new Redactor();
  for (const [name, given] of Object.entries(env)) if (names.includes(name)) own.learn(given);
  own.learn(new TextDecoder().decode(stdout).trim());
  const characters = [...host.runtime.redactor.clean(own.clean(text)).trim()];
  return characters.slice(-SHOWN_CHARACTERS).join("");
}
