/**
 * The skill as it ships inside the program (specification §8): SKILL.md and its references, as
 * text. Loaded by the skill commands only.
 */
import { createHash } from "node:crypto";
import guide from "../../../skill/SKILL.md" with { type: "text" };
import { REFERENCES } from "./references.ts";

const SKILL_NAME = "ledger-enterprise-cli";

export interface Skill {
  readonly name: string;
  readonly version: string;
  /** Path below the skill's folder, with `/`, → text. */
  readonly files: ReadonlyMap<string, string>;
}

/** The skill of this program. */
export function bundledSkill(): Skill {
  const references = Object.entries(REFERENCES).map(
    ([name, text]) => [`references/${name}.md`, text] as const,
  );
  return {
    name: SKILL_NAME,
    version: versionOf(guide),
    files: new Map([["SKILL.md", guide], ...references]),
  };
}

/** `metadata.version` of a SKILL.md; the generator keeps it equal to the program's. */
function versionOf(text: string): string {
  return /^ {2}version: "([^"]+)"$/m.exec(text)?.[1] ?? "";
}

/** SHA-256, lower-case hexadecimal. */
export function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
