/** The tag at the end of a note, whatever the note is. */
import { expect, test } from "bun:test";
import { tagOf, withTag } from "../../../src/core/state/tag.ts";
import { exact } from "../../../src/io/json.ts";
import { codeOf } from "../../support/failure.ts";

const TAG = tagOf("01M8HYXX26Z8JW84D6ZGHAX8E8", undefined);
const tagged = (note: string): string =>
  withTag(exact(`{"type":"T","data":{},"note":${note}}`), TAG).text;

test.each(['"Invoice 42"', '["Invoice 42"]', '{"content":42}', '{"content":{"of":"me"}}'])(
  "B8 a tag does not take the place of the note %s",
  async (note) => {
    expect(await codeOf(() => tagged(note))).toBe("INVALID_REQUEST_DATA");
  },
);

test("B8 null is as if there were no note or content", () => {
  expect(tagged("null")).toContain(`"title":"ledger-enterprise-cli","content":"${TAG}"`);
  expect(tagged('{"title":"a","content":null}')).toContain(`{"title":"a","content":"${TAG}"}`);
});
