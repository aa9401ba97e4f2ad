/** From what a command returned, or threw, to the one document (specification §1). */
import type { Command } from "../cli/command.ts";
import { declaredFields, Projection } from "../cli/fields.ts";
import { CliError, ERRORS } from "../errors.ts";
import { Exact, encode } from "../io/json.ts";
import type { Output } from "../io/stdout.ts";
import { List, Text, WithFile } from "../result.ts";

/**
 * The projection that `--fields` asks for: of the dry run's document in a dry run. Undefined for
 * all fields, and for a dry run that is asked for those of the real answer: so that --dryRun can be
 * added to a line. Throws INVALID_ARGUMENT.
 */
export function projectionOf(
  { fields: target, output, effect, dryRun }: Command,
  values: Readonly<Record<string, unknown>>,
): Projection | undefined {
  if (values.fields === undefined || target === undefined) return undefined;
  const paths = values.fields as string[][];
  const projection = new Projection(paths, declaredFields(output?.(), target));
  if (values.dryRun === true && dryRun !== undefined) {
    // It changes nothing: what it lacks can be refused once it is there.
    const shown = new Projection(paths, declaredFields(dryRun.output(), "object"));
    return projection.isDeclared && !shown.isDeclared ? undefined : shown;
  }
  if (effect !== "read") projection.requireDeclared();
  return projection;
}

/**
 * Prints what a command returned. Returns what ended a list after its first rows were printed;
 * undefined when all of it is printed. Throws OUTPUT_ERROR.
 */
export async function print(
  result: unknown,
  target: Command["fields"],
  projection: Projection | undefined,
  output: Output,
): Promise<CliError | undefined> {
  if (result instanceof List) {
    const items = projection === undefined ? result.items : projection.each(result.items);
    const failure = await output.emitList({ items }, (cause) => failureDocument(toCliError(cause)));
    return failure && toCliError(failure.cause);
  }
  if (result instanceof Text) await output.emitText(result.content);
  else {
    const whole = result instanceof WithFile ? result.document : result;
    const shown = projection === undefined ? whole : projectWhole(whole, projection, target);
    if (result instanceof WithFile) await result.write();
    await output.emit(shown);
  }
  return undefined;
}

function projectWhole(result: unknown, projection: Projection, target: Command["fields"]): unknown {
  const document = new Exact(encode(result));
  return target === "results" ? projection.results(document) : projection.items([document])[0];
}

/** Anything but a CliError is a defect of ours (SEC-4). */
export function toCliError(cause: unknown): CliError {
  if (cause instanceof CliError) return cause;
  return new CliError("INTERNAL", { message: "The program failed in an unforeseen way.", cause });
}

/** The failure document of specification §1. */
export function failureDocument(error: CliError): Record<string, unknown> {
  const { message, field, details, httpStatus, retryAfterSeconds, requestId, api, retryable } =
    error.facts;
  const entry = ERRORS[error.code];
  return {
    code: error.code,
    message,
    exitCode: entry.exit,
    retryable: retryable ?? entry.retryable,
    hint: error.hint,
    httpStatus,
    retryAfterSeconds,
    requestId,
    field,
    details,
    api,
  };
}
