/**
 * A request as a challenge is compared with it: out of its envelope, and with the containers of V1
 * and V2 at the places where a challenge has their content.
 */
import { type Exact, type Node, tree } from "../../io/json.ts";
import { type Field, fieldOf, leavesOf, membersOf, type Place, pathOf, ROOT } from "./field.ts";

/**
 * The members of a request. Three documents are brought to the usual `{type, data}`; the places of
 * their fields stay those of the document:
 * - `{accountId, transaction}`, as V2 takes it for one coin: `transaction` is the transaction's
 *   data;
 * - `data.digests_data.*` (raw signing, V1): a challenge has these beside each other in `data`;
 * - `data.pledge_data.*` (V1): the same, and `exchange_name` is `exchange` there.
 * A container that the challenge's own `data` has, too, stays where it is. `content` is what the
 * challenge is compared by.
 */
export function requestMembers(request: Exact, content: readonly Field[] = []): readonly Field[] {
  const members = membersOf(fieldOf(unwrap(tree(request))));
  const inChallenge = new Set(
    content.filter(({ place }) => place.name === "data").flatMap(namesIn),
  );
  return (coinMembers(members) ?? members).map((member) =>
    member.place.name === "data" ? lifted(member, inChallenge) : member,
  );
}

function namesIn(field: Field): string[] {
  return membersOf(field).map(({ place }) => place.name);
}

/** True for the document that a per-coin creation takes: an account and a transaction, no type. */
export function isCoinRequest(document: Node): boolean {
  const members = new Map(document.kind === "object" ? document.members : []);
  const account = members.get("accountId");
  const isId = account?.kind === "string" && account.value !== "";
  return isId && members.get("transaction")?.kind === "object" && !members.has("type");
}

/** The request out of its creation envelope. */
function unwrap(request: Node): Node {
  const members = new Map(request.kind === "object" ? request.members : []);
  const inner = members.get("request");
  return inner?.kind === "object" && !members.has("type") ? inner : request;
}

/** `{accountId, transaction, …}` as `{data: {account_id, transaction_data}, …}`. */
function coinMembers(members: readonly Field[]): Field[] | undefined {
  const names = new Map(members.map((member) => [member.place.step, member]));
  const [account, transaction] = [names.get("accountId"), names.get("transaction")];
  if (account === undefined || transaction?.node.kind !== "object") return undefined;
  if (names.has("type") && names.has("data")) return undefined;
  const inner = fieldOf(transaction.node, {
    parent: ROOT,
    step: "transaction",
    name: "transaction_data",
  });
  const others = members.filter((member) => member !== account && member !== transaction);
  return [containerOf([account, inner]), ...others];
}

/** An object that the document does not have, around fields that keep their own places. */
function containerOf(children: readonly Field[]): Field {
  const members = children.map(({ place, node }) => [String(place.step), node] as const);
  const place: Place = { parent: ROOT, step: "data", name: "data" };
  return { place, node: { kind: "object", members }, children };
}

/** Names of the containers whose content a challenge has one level higher. */
const LIFTED: ReadonlySet<string> = new Set(["digests_data", "pledge_data"]);

function lifted(data: Field, inChallenge: ReadonlySet<string>): Field {
  const isLifted = ({ place: { name }, node }: Field): boolean =>
    LIFTED.has(name) && node.kind === "object" && !inChallenge.has(name);
  if (!membersOf(data).some(isLifted)) return data;
  const children = membersOf(data).flatMap((member) =>
    isLifted(member) ? member.children.map(asInChallenge) : [member],
  );
  return { ...data, children };
}

/** A pledge's challenge says `exchange` where its request says `exchange_name`. */
function asInChallenge(field: Field): Field {
  const isPledge = field.place.parent?.name === "pledge_data";
  if (!isPledge || field.place.name !== "exchange_name") return field;
  return { ...field, place: { ...field.place, name: "exchange" } };
}

/** Where a request, in any of its forms, says which account it means. */
const ACCOUNT_NAMES: ReadonlySet<string> = new Set(
  [
    ...[["data"], ["data", "transaction_data"], ["transaction_data"]],
    ...[
      ["data", "digests_data"],
      ["data", "pledge_data"],
    ],
  ].map((path) => path.join("/")),
);

/**
 * True when the request itself has the name of the account, so that a challenge's can be compared.
 */
export function saysAccountName(members: readonly Field[]): boolean {
  return members.some((member) =>
    leavesOf(member).some(({ place }) => {
      if (place.name !== "account_name") return false;
      const path = pathOf(place).slice(0, -1);
      return ACCOUNT_NAMES.has(path.map(({ name }) => name).join("/"));
    }),
  );
}
