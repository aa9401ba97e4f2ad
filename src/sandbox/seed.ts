/**
 * The seed: a workspace as plain JSON, checked strictly. fixtures.ts holds the one that is used
 * when none is given.
 */
import { fromPlain } from "./json.ts";
import { readKeyPair } from "./keys.ts";
import { choice, flag, list, nullable, number, type Of, object, record, text } from "./schema.ts";

/** A seed that cannot be served; `issues` name each fault. */
export class InvalidSeed extends Error {
  readonly issues: readonly string[];
  constructor(issues: readonly string[]) {
    super("The seed is not a valid workspace.");
    this.issues = issues;
  }
}

const id = text(/^[A-Za-z0-9._~-]{1,128}$/, "an id of letters, digits and . _ ~ -");
const amount = text(/^(0|[1-9]\d*)$/, "an integer of the base unit in digits");
const status = choice("ACTIVE", "INACTIVE");
const seconds = number(0, 1e10, true);
const named = { id, name: text() };
const described = { description: text(), status };
const step = record({ quorum: number(1, 100) }, { userIds: list(id), groupId: id });
const address = record(
  { name: text(), currency: text(), address: text() },
  { destinationTags: list(text()) },
);
const rule = record(
  { operationType: text(), reviewSteps: list(step) },
  {
    /** Both inclusive; no `max`: no bound. */
    threshold: record({ min: amount, max: nullable(amount) }),
    /** None: anyone may receive. */
    whitelistIds: list(id),
  },
);
const user = record(
  {
    ...named,
    role: choice("ADMIN", "OPERATOR", "READ_ONLY_API_KEY"),
    deviceType: choice("PSD", "SOFT_PSD", "API"),
  },
  {
    /**
     * Hexadecimal of a P-256 PEM. An API operator with neither key gets a new pair at each start.
     */
    privateKey: text(/^(?:[0-9a-f]{2})+$/i, "hexadecimal bytes"),
    pubKey: text(/^04[0-9a-f]{128}$/i, "130 hexadecimal digits"),
    deviceUserId: text(),
    /**
     * What the registration of a device left here; without it the device cannot log in. The
     * validation key is on secp256k1.
     */
    device: record({
      keyHandle: text(/^(?:[0-9a-f]{2}){1,255}$/, "hexadecimal bytes"),
      validationKey: text(/^04[0-9a-f]{128}$/i, "130 hexadecimal digits"),
    }),
    legacyViewAll: flag,
    status,
    isSuspended: flag,
  },
);
const account = record(
  { ...named, currency: text(), address: text(), balance: amount, policyId: id },
  /** A parent pays the fees of a token account. */
  {
    contractAddress: text(),
    parentId: id,
    index: number(0, 2 ** 31),
    derivationPath: text(),
    status,
    governanceType: text(),
  },
);
const transaction = record({
  accountId: id,
  type: choice("SEND", "RECEIVE"),
  amount,
  fees: amount,
  counterparty: text(),
  ageSeconds: seconds,
});
/**
 * A request of the past: raised and reviewed at load through the same engine, each approval a
 * minute after the one before.
 */
const request = record(
  { createdBy: id, ageSeconds: seconds, type: text(), data: object },
  { id, note: record({ title: text(), content: text() }), approvedBy: list(id), rejectedBy: id },
);
const SEED = record(
  {
    workspace: text(/^(?=\S)[ -~]{1,128}(?<=\S)$/, "1 to 128 printable characters"),
    users: list(user),
    /** The first is the sandbox operator's. */
    credentials: list(record({ apiKeyId: text(), apiKeySecret: text(), userId: id })),
    groups: list(record({ ...named, userIds: list(id) }, described)),
    whitelists: list(record({ ...named, addresses: list(address) }, described)),
    policies: list(
      record({ ...named, rules: list(rule) }, { ...described, currency: text(), isPrivate: flag }),
    ),
    /** Who reviews everything but transactions. */
    adminSteps: list(step),
    accounts: list(account),
    entities: list(record(named, described)),
  },
  {
    /** Default: seven days. */
    requestLifeSeconds: seconds,
    /** From APPROVED to the next state, and from SUBMITTED to CONFIRMED; default 5. */
    executionSeconds: seconds,
    transactions: list(transaction),
    requests: list(request),
  },
);

export type Seed = Of<typeof SEED>;
export type SeedStep = Of<typeof step>;
export type SeedRule = Of<typeof rule>;

/** Checks form and references. Throws InvalidSeed with every fault that was found. */
export function checkSeed(given: unknown): Seed {
  const malformed = SEED(fromPlain(given), "seed");
  if (malformed.length > 0) throw new InvalidSeed(malformed);
  const seed = structuredClone(given) as Seed;
  const dangling = danglingReferences(seed);
  if (dangling.length > 0) throw new InvalidSeed(dangling);
  return seed;
}

const KINDS = ["users", "groups", "whitelists", "policies", "accounts", "entities"] as const;

function danglingReferences(seed: Seed): string[] {
  const known = Object.fromEntries(
    KINDS.map((kind) => [kind, new Set(seed[kind].map((row) => row.id))]),
  );
  const issues = KINDS.filter((kind) => known[kind]?.size !== seed[kind].length).map(
    (kind) => `${kind} has an id twice`,
  );
  const refer = (kind: (typeof KINDS)[number], ids: readonly (string | undefined)[] = []) => {
    const missing = ids.filter((one) => one !== undefined && known[kind]?.has(one) !== true);
    issues.push(...missing.map((one) => `${one} is not in ${kind}`));
  };
  for (const { userIds = [], groupId, quorum } of [
    ...seed.adminSteps,
    ...seed.policies.flatMap(stepsOf),
  ]) {
    refer("users", userIds);
    refer("groups", [groupId]);
    const members = seed.groups.find((group) => group.id === groupId)?.userIds ?? [];
    if (new Set([...userIds, ...members]).size < quorum)
      issues.push(`a step has fewer reviewers than its quorum ${quorum}`);
  }
  for (const { id, privateKey } of seed.users) {
    if (privateKey !== undefined && !isKey(privateKey))
      issues.push(`the private key of ${id} is not a P-256 key`);
  }
  for (const group of seed.groups) refer("users", group.userIds);
  for (const policy of seed.policies)
    for (const { whitelistIds } of policy.rules) refer("whitelists", whitelistIds);
  refer(
    "policies",
    seed.accounts.map((one) => one.policyId),
  );
  refer(
    "accounts",
    seed.accounts.map((one) => one.parentId),
  );
  refer(
    "accounts",
    seed.transactions?.map((one) => one.accountId),
  );
  refer(
    "users",
    seed.credentials.map((one) => one.userId),
  );
  refer(
    "users",
    seed.requests?.flatMap((one) => [one.createdBy, one.rejectedBy, ...(one.approvedBy ?? [])]),
  );
  return issues;
}

function isKey(privateKey: string): boolean {
  try {
    return readKeyPair(privateKey).publicKey !== "";
  } catch {
    return false;
  }
}

function stepsOf(policy: Seed["policies"][number]): SeedStep[] {
  return policy.rules.flatMap((one) => one.reviewSteps);
}
