/**
 * What requests other than transactions do in the end. Types without a row here are reviewed like
 * the others and change nothing.
 */
import { type JsonObject, memberAt, toPlain } from "./json.ts";
import {
  type Check,
  choice,
  insist,
  invalid,
  list,
  nullable,
  number,
  type Of,
  record,
  text,
} from "./schema.ts";
import type { Row, Workspace } from "./workspace.ts";

export const REQUEST_TYPES: ReadonlySet<string> = new Set(
  `ACTIVATE CREATE_ACCOUNT CREATE_ADMIN CREATE_ADMIN_GROUP CREATE_API_USER CREATE_API_USER_ACCESS CREATE_DAPPS_CONFIG CREATE_ENTITY
  CREATE_FORCED_UNPLEDGE CREATE_GROUP CREATE_MESSAGE_SIGNING CREATE_OPERATOR CREATE_PLEDGE_INCREMENT CREATE_POLICY CREATE_REPLEDGE
  CREATE_TRADELINK CREATE_TRADELINK_ASSET_MANAGER CREATE_TRADELINK_EXCHANGE CREATE_TRANSACTION CREATE_WHITELIST EDIT_ACCOUNT
  EDIT_ADMIN_GROUP EDIT_DAPPS_CONFIG EDIT_ENTITY EDIT_GROUP EDIT_POLICY EDIT_WHITELIST MESSAGE_SIGNING MIGRATE_ACCOUNT MIGRATE_ADMIN
  MIGRATE_GROUP MIGRATE_OPERATOR MIGRATE_WHITELIST REVOKE_ENTITY REVOKE_GROUP REVOKE_USER SIGN_DIGESTS UPDATE_QUORUM`.split(
    /\s+/,
  ),
);

type Effect = VaultEffect | undefined;
type VaultEffect = (row: Row) => void;

const accountInput = record(
  { name: text(/^[\p{L}\p{N} ]{1,19}$/u, "1 to 19 letters, digits and spaces"), currency: text() },
  {
    policyName: text(),
    parentId: nullable(text()),
    contractAddress: nullable(text()),
    index: number(0, 2 ** 31),
  },
  true,
);
const addressInput = record({ name: text(), currency: text(), address: text() }, {}, true);
const described = { description: nullable(text()) };
const whitelistInput = record({ name: text(), addresses: list(addressInput) }, described, true);
const groupInput = record({ name: text() }, { ...described, userIds: list(text()) }, true);

const messageInput = record({
  accountId: text(),
  messageType: choice("EIP-191"),
  messageData: record({ accountName: text(), rawMessage: text() }, { address: nullable(text()) }),
});

const EFFECTS: Readonly<Record<string, (workspace: Workspace, data: JsonObject) => Effect>> = {
  CREATE_ACCOUNT(workspace, data) {
    const { policyName, parentId, ...given } = read(accountInput, data, "accountData");
    const accounts = [...workspace.accounts.values()];
    const model = accounts.find((one) => one.currency === given.currency);
    const policy = [...workspace.policies.values()].find(
      (one) => one.name === (policyName ?? one.name),
    );
    if (model === undefined)
      throw invalid("data.accountData.currency: not available in this workspace");
    if (policy === undefined) throw invalid("data.accountData.policyName: no such policy");
    if (parentId && !workspace.accounts.has(parentId))
      throw invalid("data.accountData.parentId: no such account");
    const { name, currency, contractAddress } = given;
    const address = `${model.address.slice(0, 4)}${workspace.newHex(18)}`;
    return (row) => {
      const index = workspace.accounts.size;
      const place = {
        index,
        derivationPath: model.derivationPath?.replace(/\d+'$/, `${index}'`) ?? `${index}'`,
      };
      const token = {
        ...(contractAddress ? { contractAddress } : {}),
        ...(parentId ? { parentId } : {}),
      };
      const governance = {
        policyId: policyName === undefined ? model.policyId : policy.id,
        governanceType: "CLASSIC",
      };
      workspace.accounts.set(row.id, {
        ...row,
        name,
        currency,
        address,
        ...place,
        ...token,
        ...governance,
        balance: 0n,
      });
    };
  },
  /** What is signed is checked; the signature itself is checked elsewhere. */
  CREATE_MESSAGE_SIGNING(workspace, data) {
    const { accountId, messageData } = read(messageInput, data);
    const account = workspace.accounts.get(accountId);
    if (account?.currency !== "ethereum")
      throw invalid("data.accountId: no account that can sign messages");
    if (account.name !== messageData.accountName)
      throw invalid("data.messageData.accountName: not the name of this account");
    return undefined;
  },
  CREATE_WHITELIST(workspace, data) {
    const { name, addresses, description } = read(whitelistInput, data);
    return (row) =>
      workspace.whitelists.set(row.id, {
        ...row,
        name,
        addresses,
        ...(description ? { description } : {}),
      });
  },
  CREATE_GROUP(workspace, data) {
    const { name, userIds = [], description } = read(groupInput, data);
    if (!userIds.every((id) => workspace.users.has(id)))
      throw invalid("data.userIds: no such user");
    return (row) =>
      workspace.groups.set(row.id, {
        ...row,
        name,
        userIds,
        ...(description ? { description } : {}),
      });
  },
};

function read<T>(check: Check<T>, data: JsonObject, ...path: readonly string[]): T {
  const given = memberAt(data, ...path) ?? null;
  insist(check, given, ["data", ...path].join("."));
  return toPlain(given) as Of<typeof check>;
}

/**
 * The effect of a request, checked now and carried out later. Throws Refusal 400 when the data
 * cannot have one.
 */
export function effectOf(workspace: Workspace, type: string, data: JsonObject): Effect {
  return Object.hasOwn(EFFECTS, type) ? EFFECTS[type]?.(workspace, data) : undefined;
}
