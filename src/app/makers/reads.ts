/** Reading: what the workspace has, and what this machine kept. */
import type { Reader } from "../../core/api/api.ts";
import { levelOf } from "../../core/policy/places.ts";
import type { Records } from "../../core/state/records.ts";
import type { Run } from "../occasion.ts";

/** Reads, as far as the policies let this process read. */
export async function readerOf(run: Run): Promise<Reader> {
  const { createReader } = await import("../../core/api/api.ts");
  const reader = createReader(run.access());
  const named = run.config.plain("POLICY_FILE");
  if (levelOf(named) === "none") return reader;
  const { readable } = await import("../../core/policy/reads.ts");
  return readable(reader, named, run.context.uid, run.log);
}

/** What was created and received here before. */
export async function recordsOf({ state, runtime }: Run): Promise<Records> {
  const { Records } = await import("../../core/state/records.ts");
  return new Records(state(), runtime);
}
