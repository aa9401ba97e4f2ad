/** A secret from a program's standard output. */
import { CliError } from "../../errors.ts";
import {
  type ConfiguredProgram,
  endingFacts,
  findObstacle,
  type ProgramHost,
  startProgram,
} from "./program.ts";

/**
 * What the program prints: one line of UTF-8, without the newline at its end. `field` names the
 * setting. Throws SECRET_COMMAND_FAILED, which never quotes what the program printed.
 */
export async function secretFrom(
  program: ConfiguredProgram,
  field: string,
  host: ProgramHost,
): Promise<string> {
  const obstacle = findObstacle(program.path, host.uid);
  if (obstacle !== undefined) throw failed(field, obstacle.message, obstacle.details);
  const ended = await startProgram(program, "", host);
  const { ending, stdout } = ended;
  const facts = endingFacts(ended, program, host);
  if (ending.kind !== "exit" || ending.exitCode !== 0)
    throw failed(field, REASONS[ending.kind], facts);
  const secret = lineOf(stdout);
  if (secret === undefined)
    throw failed(field, "The program did not print one line of text.", facts);
  return secret;
}

const REASONS = {
  exit: "The program failed.",
  signal: "A signal ended the program.",
  timeout: "The program did not end in its time.",
  stopped: "The program was stopped.",
  tooMuch: "The program wrote more than 65,536 bytes.",
  unstartable: "The system did not start the program.",
} as const;

function lineOf(stdout: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(stdout);
  } catch {
    return undefined;
  }
  const line = text.replace(/\r?\n$/, "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  return line.trim() === "" || /[\u0000-\u001f\u007f-\u009f\ufeff]/.test(line) ? undefined : line;
}

function failed(field: string, message: string, details: object): CliError {
  return new CliError("SECRET_COMMAND_FAILED", {
    message: `${field}: ${message}`,
    field,
    details,
  });
}
