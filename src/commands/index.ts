/** The registry: every command, in the order in which help, schema and references show it. */
import { group } from "../cli/command.ts";
import { login, logout, whoami } from "./access.ts";
import { accounts } from "./accounts.ts";
import { completion } from "./completion.ts";
import { entities, groups, policies, users, whitelists } from "./directory.ts";
import { doctor } from "./doctor.ts";
import { keys } from "./keys.ts";
import { api, assets, permissions } from "./lookup.ts";
import { notifications } from "./notifications.ts";
import { requests } from "./requests.ts";
import { sandbox } from "./sandbox.ts";
import { schema } from "./schema.ts";
import { skill } from "./skill.ts";
import { transactions } from "./transactions.ts";
import { upgrade } from "./upgrade.ts";

export const commands = group(
  "Ledger Enterprise from a terminal: read accounts, raise requests, review, sign and approve.",
  {
    login,
    logout,
    whoami,
    accounts,
    transactions,
    requests,
    users,
    groups,
    policies,
    whitelists,
    entities,
    assets,
    permissions,
    api,
    notifications,
    keys,
    sandbox,
    skill,
    schema,
    completion,
    doctor,
    upgrade,
  },
);
