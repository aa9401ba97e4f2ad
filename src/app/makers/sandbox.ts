/** The sandbox on a port of loopback. */
import { CliError } from "../../errors.ts";
import { errnoOf } from "../../io/errno.ts";
import type { SandboxOptions } from "../../sandbox/index.ts";

/** Throws INVALID_ARGUMENT with every fault of the seed, IO_ERROR when the port cannot be had. */
export async function openSandbox(options: SandboxOptions) {
  const { InvalidSeed, startSandbox } = await import("../../sandbox/index.ts");
  try {
    return await startSandbox(options);
  } catch (cause) {
    if (cause instanceof InvalidSeed) {
      const message = "--seed is not a valid workspace document.";
      throw new CliError("INVALID_ARGUMENT", {
        message,
        field: "--seed",
        details: { issues: cause.issues },
        cause,
      });
    }
    const reason = errnoOf(cause);
    if (reason === "") throw cause;
    throw new CliError("IO_ERROR", {
      message: "The sandbox cannot listen on that port.",
      hint: "Choose another --port, or leave it out to get a free one.",
      field: "--port",
      details: { reason },
      cause,
    });
  }
}
