/** A bech32 address in capitals is the same one, wherever two addresses are compared. */
import { expect, test } from "bun:test";
import { CARDANO_WORDS, COSMOS_WORDS, SEGWIT_WORDS } from "../../../src/core/meaning/bech32.ts";
import { lookalikesOf } from "../../../src/core/meaning/lookalike.ts";
import type { Family } from "../../../src/core/meaning/network.ts";
import { isSameAddress } from "../../../src/core/meaning/recipient.ts";
import { likenessOf } from "../../../src/core/signing/likeness.ts";
import { exact } from "../../../src/io/json.ts";

const CASES: readonly (readonly [Family, string])[] = [
  ...SEGWIT_WORDS.map((word) => ["bitcoin", word] as const),
  ...CARDANO_WORDS.map((word) => ["cardano", word] as const),
  ...COSMOS_WORDS.map((word) => ["cosmos", word] as const),
];

const PLACE = { origin: "https://vault.example", basePath: "", workspace: "w" };
const likeness = (recipient: string): string =>
  likenessOf(PLACE, exact(JSON.stringify({ type: "T", data: { recipient } })));

test.each(CASES)(
  "%s: %s1… in capitals is one recipient, one request, and no lookalike",
  (...of) => {
    const [family, word] = of;
    const address = `${word}1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq`;
    const capitals = address.toUpperCase();
    expect(isSameAddress(address, capitals)).toBe(true);
    expect(likeness(capitals)).toBe(likeness(address));
    const anchors = [{ address, family, of: "whitelist" }];
    expect(lookalikesOf(capitals, family, anchors)).toEqual([]);
    // What all of them begin with is not what makes two alike.
    const other = `${word}1q5tsjzzzzzzzzzzzzzzzzzzzzzzzzzzzmntajq`;
    expect(lookalikesOf(other.toUpperCase(), family, anchors)).toMatchObject([{ address }]);
    expect(lookalikesOf(`${word}1qzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzmntajq`, family, anchors)).toEqual(
      [],
    );
  },
);

test("the words are those of five networks, and mixed case is another text", () => {
  expect(CASES.map(([, word]) => word)).toEqual(["bc", "tb", "ltc", "addr", "addr_test", "cosmos"]);
  expect(likeness("Bc1q5tsjcyz7xmet07")).not.toBe(likeness("bc1q5tsjcyz7xmet07"));
  expect(isSameAddress("T9yD14Nj9j7xAB4d", "t9YD14nJ9J7XAB4D")).toBe(false);
});
