/**
 * Generated: the skill's reference files as text, by name. Run `npm run generate` when a group of
 * commands comes or goes.
 */
import accounts from "../../../skill/references/accounts.md" with { type: "text" };
import assets from "../../../skill/references/assets.md" with { type: "text" };
import audit from "../../../skill/references/audit.md" with { type: "text" };
import entities from "../../../skill/references/entities.md" with { type: "text" };
import errors from "../../../skill/references/errors.md" with { type: "text" };
import groups from "../../../skill/references/groups.md" with { type: "text" };
import guard from "../../../skill/references/guard.md" with { type: "text" };
import keys from "../../../skill/references/keys.md" with { type: "text" };
import login from "../../../skill/references/login.md" with { type: "text" };
import notifications from "../../../skill/references/notifications.md" with { type: "text" };
import permissions from "../../../skill/references/permissions.md" with { type: "text" };
import policies from "../../../skill/references/policies.md" with { type: "text" };
import policy from "../../../skill/references/policy.md" with { type: "text" };
import program from "../../../skill/references/program.md" with { type: "text" };
import requests from "../../../skill/references/requests.md" with { type: "text" };
import sandbox from "../../../skill/references/sandbox.md" with { type: "text" };
import skill from "../../../skill/references/skill.md" with { type: "text" };
import transactions from "../../../skill/references/transactions.md" with { type: "text" };
import users from "../../../skill/references/users.md" with { type: "text" };
import whitelists from "../../../skill/references/whitelists.md" with { type: "text" };

export const REFERENCES: Readonly<Record<string, string>> = {
  accounts,
  assets,
  audit,
  entities,
  errors,
  groups,
  guard,
  keys,
  login,
  notifications,
  permissions,
  policies,
  policy,
  program,
  requests,
  sandbox,
  skill,
  transactions,
  users,
  whitelists,
};
