/** What `doctor` is made of. */
import { inspectVersion } from "../../core/release/gate.ts";
import { gateOf } from "../gate.ts";
import type { Run } from "../occasion.ts";
import { deviceOf } from "./logins.ts";
import { askSignerKey } from "./signing.ts";

/** How far a diagnosis goes. */
export interface Scope {
  /** Sends nothing. */
  readonly offline: boolean;
  /** Starts the external signer. */
  readonly signer: boolean;
}

/** Where each setting comes from, and what the checks found. */
export async function diagnose(run: Run, { offline, signer }: Scope) {
  const { config, state, sessions, access, context } = run;
  const [{ askSigner, examine }, { inspectKnown }, { bundledSkill }, { inspectDevice }] =
    await Promise.all([
      import("../../core/doctor/examine.ts"),
      import("../../core/skill/install.ts"),
      import("../../core/skill/content.ts"),
      import("../../core/device/reach.ts"),
    ]);
  const patient = {
    ...{ config, state, sessions, access },
    versions: () => inspectVersion(gateOf(run)),
    publicKey: async () => (await run.key()).publicKey(),
    signerKey: () => askSignerKey(run),
    skills: () => inspectKnown(bundledSkill(), context.home),
    device: () => inspectDevice(deviceOf(run)),
  };
  const found = await examine(patient, offline);
  const findings = signer ? [...found, ...(await askSigner(patient))] : found;
  return { settings: config.origins(), findings };
}

/** Shapes of what the server answers where the API is assumed. */
export async function assumptionsOf({ access, sessions, config }: Run) {
  const { assumptions } = await import("../../core/doctor/assumptions.ts");
  const session = await sessions().read();
  return assumptions(access(), session, session ?? config.configured().endpoint);
}
