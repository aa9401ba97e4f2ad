/** The seed: a workspace as plain JSON, checked strictly. fixtures.ts holds the one that is used when none is given. */
import { fromPlain } from "./json.ts";
import { type Check, choice, flag, list, nullable, number, object, record, text } from "./schema.ts";

/** A seed that cannot be served; `issues` name each fault. */
export class InvalidSeed extends Error {
  readonly issues: readonly string[];
  constructor(issues: readonly string[]) {
    super("The seed is not a valid workspace.");
    this.issues = issues;
  }
}

type Role = "ADMIN" | "OPERATOR" | "READ_ONLY_API_KEY";
type Status = "ACTIVE" | "INACTIVE";

export interface SeedUser {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly deviceType: "PSD" | "SOFT_PSD" | "API";
  /** Hexadecimal of a P-256 PEM. An API operator without one gets a new pair at each start. */
  readonly privateKey?: string;
  /** 130 hexadecimal digits; given by `privateKey` when that is there. */
  readonly pubKey?: string;
  readonly deviceUserId?: string;
  readonly legacyViewAll?: boolean;
  readonly status?: Status;
  readonly isSuspended?: boolean;
}

export interface SeedStep {
  readonly quorum: number;
  readonly userIds?: readonly string[];
  readonly groupId?: string;
}

export interface SeedRule {
  readonly operationType: string;
  /** Amounts in base unit, both inclusive; `max` null means no upper bound. */
  readonly threshold?: { readonly min: string; readonly max: string | null };
  /** Recipients must stand in one of these; none: anyone may receive. */
  readonly whitelistIds?: readonly string[];
  readonly reviewSteps: readonly SeedStep[];
}

export interface SeedAddress {
  readonly name: string;
  readonly currency: string;
  readonly address: string;
  readonly destinationTags?: readonly string[];
}

interface Named {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly status?: Status;
}

export interface SeedAccount {
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  readonly address: string;
  /** Integer text in base unit. */
  readonly balance: string;
  readonly policyId: string;
  readonly contractAddress?: string;
  /** The account that pays the fees of a token account. */
  readonly parentId?: string;
  readonly index?: number;
  readonly derivationPath?: string;
  readonly status?: Status;
  /** Free text that filters by `governanceType`; default POLICY. */
  readonly governanceType?: string;
}

/** A request of the past: it is raised and reviewed at load, `ageSeconds` before the start, through the same engine. */
export interface SeedRequest {
  readonly id?: string;
  readonly createdBy: string;
  readonly ageSeconds: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly note?: { readonly title: string; readonly content: string };
  /** Reviewers in order; each approval comes one minute after the one before. */
  readonly approvedBy?: readonly string[];
  readonly rejectedBy?: string;
}

export interface Seed {
  readonly workspace: string;
  /** How long a request waits for its reviews; default seven days. */
  readonly requestLifeSeconds?: number;
  /** Time from APPROVED to the next state, and from SUBMITTED to CONFIRMED; default 5. */
  readonly executionSeconds?: number;
  readonly users: readonly SeedUser[];
  readonly credentials: readonly {
    readonly apiKeyId: string;
    readonly apiKeySecret: string;
    readonly userId: string;
  }[];
  readonly groups: readonly (Named & { readonly userIds: readonly string[] })[];
  readonly whitelists: readonly (Named & { readonly addresses: readonly SeedAddress[] })[];
  readonly policies: readonly (Named & {
    readonly currency?: string;
    readonly isPrivate?: boolean;
    readonly rules: readonly SeedRule[];
  })[];
  /** Who reviews everything that is no transaction. */
  readonly adminSteps: readonly SeedStep[];
  readonly accounts: readonly SeedAccount[];
  readonly entities: readonly Named[];
  readonly transactions?: readonly {
    readonly accountId: string;
    readonly type: "SEND" | "RECEIVE";
    readonly amount: string;
    readonly fees: string;
    readonly counterparty: string;
    readonly ageSeconds: number;
  }[];
  readonly requests?: readonly SeedRequest[];
}

const id = text(/^[A-Za-z0-9._~-]{1,128}$/, "an id of letters, digits and . _ ~ -");
const amount = text(/^(0|[1-9]\d*)$/, "an integer in digits");
const hex = text(/^(?:[0-9a-f]{2})+$/i, "hexadecimal bytes");
const status = choice("ACTIVE", "INACTIVE");
const seconds = number(0, 1e10, true);
const step = record({ quorum: number(1, 100) }, { userIds: list(id), groupId: id });
const named = { id, name: text() };
const described = { description: text(), status };

const SEED: Check = record(
  {
    workspace: text(/^(?=\S)[ -~]{1,128}(?<=\S)$/, "1 to 128 printable characters"),
    users: list(
      record(
        {
          ...named,
          role: choice("ADMIN", "OPERATOR", "READ_ONLY_API_KEY"),
          deviceType: choice("PSD", "SOFT_PSD", "API"),
        },
        { privateKey: hex, pubKey: hex, deviceUserId: text(), legacyViewAll: flag, status, isSuspended: flag },
      ),
    ),
    credentials: list(record({ apiKeyId: text(), apiKeySecret: text(), userId: id })),
    groups: list(record({ ...named, userIds: list(id) }, described)),
    whitelists: list(
      record(
        {
          ...named,
          addresses: list(
            record({ name: text(), currency: text(), address: text() }, { destinationTags: list(text()) }),
          ),
        },
        described,
      ),
    ),
    policies: list(
      record(
        {
          ...named,
          rules: list(
            record(
              { operationType: text(), reviewSteps: list(step) },
              { threshold: record({ min: amount, max: nullable(amount) }), whitelistIds: list(id) },
            ),
          ),
        },
        { ...described, currency: text(), isPrivate: flag },
      ),
    ),
    adminSteps: list(step),
    accounts: list(
      record(
        { ...named, currency: text(), address: text(), balance: amount, policyId: id },
        {
          contractAddress: text(),
          parentId: id,
          index: number(0, 2 ** 31),
          derivationPath: text(),
          status,
          governanceType: text(),
        },
      ),
    ),
    entities: list(record(named, described)),
  },
  {
    requestLifeSeconds: seconds,
    executionSeconds: seconds,
    transactions: list(
      record({
        accountId: id,
        type: choice("SEND", "RECEIVE"),
        amount,
        fees: amount,
        counterparty: text(),
        ageSeconds: seconds,
      }),
    ),
    requests: list(
      record(
        { createdBy: id, ageSeconds: seconds, type: text(), data: object },
        { id, note: record({ title: text(), content: text() }), approvedBy: list(id), rejectedBy: id },
      ),
    ),
  },
);

/** Checks form and references. Throws InvalidSeed with every fault that was found. */
export function checkSeed(given: unknown): Seed {
  const issues = SEED(fromPlain(given), "seed");
  if (issues.length > 0) throw new InvalidSeed(issues);
  const seed = given as Seed;
  const dangling = danglingReferences(seed);
  if (dangling.length > 0) throw new InvalidSeed(dangling);
  return seed;
}

function danglingReferences(seed: Seed): string[] {
  const issues: string[] = [];
  const kinds = ["users", "groups", "whitelists", "policies", "accounts", "entities"] as const;
  const known = Object.fromEntries(kinds.map((kind) => [kind, new Set(seed[kind].map((row) => row.id))]));
  const refer = (kind: (typeof kinds)[number], ids: readonly (string | undefined)[], where: string) => {
    for (const one of ids) {
      if (one !== undefined && known[kind]?.has(one) !== true)
        issues.push(`${where} names ${one}, which is not in ${kind}`);
    }
  };
  const steps = (given: readonly SeedStep[], where: string) => {
    for (const { quorum, userIds = [], groupId } of given) {
      refer("users", userIds, where);
      refer("groups", [groupId], where);
      const members = seed.groups.find((group) => group.id === groupId)?.userIds ?? [];
      if (new Set([...userIds, ...members]).size < quorum)
        issues.push(`${where} has a step with fewer reviewers than its quorum`);
    }
  };
  for (const kind of kinds) if (known[kind]?.size !== seed[kind].length) issues.push(`${kind} has an id twice`);
  if (seed.credentials.length === 0) issues.push("credentials is empty: nobody could log in");
  for (const { userId } of seed.credentials) refer("users", [userId], "A credential");
  for (const group of seed.groups) refer("users", group.userIds, `Group ${group.id}`);
  for (const policy of seed.policies) {
    for (const rule of policy.rules) {
      refer("whitelists", rule.whitelistIds ?? [], `Policy ${policy.id}`);
      steps(rule.reviewSteps, `Policy ${policy.id}`);
    }
  }
  steps(seed.adminSteps, "adminSteps");
  for (const account of seed.accounts) {
    refer("policies", [account.policyId], `Account ${account.id}`);
    refer("accounts", [account.parentId], `Account ${account.id}`);
  }
  for (const { accountId } of seed.transactions ?? []) refer("accounts", [accountId], "A transaction");
  for (const { createdBy, approvedBy = [], rejectedBy } of seed.requests ?? []) {
    refer("users", [createdBy, ...approvedBy, rejectedBy], "A request");
  }
  return issues;
}
