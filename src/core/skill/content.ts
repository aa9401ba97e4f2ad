/** The skill as it ships inside the program (SPEC §8): SKILL.md and its references, as text. Loaded by the skill commands only. */
import { createHash } from "node:crypto";
import accounts from "../../../skill/references/accounts.md" with { type: "text" };
import assets from "../../../skill/references/assets.md" with { type: "text" };
import entities from "../../../skill/references/entities.md" with { type: "text" };
import errors from "../../../skill/references/errors.md" with { type: "text" };
import groups from "../../../skill/references/groups.md" with { type: "text" };
import keys from "../../../skill/references/keys.md" with { type: "text" };
import login from "../../../skill/references/login.md" with { type: "text" };
import permissions from "../../../skill/references/permissions.md" with { type: "text" };
import policies from "../../../skill/references/policies.md" with { type: "text" };
import program from "../../../skill/references/program.md" with { type: "text" };
import requests from "../../../skill/references/requests.md" with { type: "text" };
import sandbox from "../../../skill/references/sandbox.md" with { type: "text" };
import skill from "../../../skill/references/skill.md" with { type: "text" };
import transactions from "../../../skill/references/transactions.md" with { type: "text" };
import users from "../../../skill/references/users.md" with { type: "text" };
import whitelists from "../../../skill/references/whitelists.md" with { type: "text" };
import guide from "../../../skill/SKILL.md" with { type: "text" };

const REFERENCES = {
  ...{ accounts, assets, entities, errors, groups, keys, login, permissions, policies, program, requests, sandbox },
  ...{ skill, transactions, users, whitelists },
};

export const SKILL_NAME = "ledger-enterprise-cli";

export interface Skill {
  readonly name: string;
  readonly version: string;
  /** Path below the skill's folder, with `/`, → text. */
  readonly files: ReadonlyMap<string, string>;
}

/** The skill of this program. */
export function bundledSkill(): Skill {
  const references = Object.entries(REFERENCES).map(([name, text]) => [`references/${name}.md`, text] as const);
  return { name: SKILL_NAME, version: versionOf(guide), files: new Map([["SKILL.md", guide], ...references]) };
}

/** `metadata.version` of a SKILL.md; the generator keeps it equal to the program's. */
function versionOf(text: string): string {
  return /^ {2}version: "([^"]+)"$/m.exec(text)?.[1] ?? "";
}

/** SHA-256, lower-case hexadecimal. */
export function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
