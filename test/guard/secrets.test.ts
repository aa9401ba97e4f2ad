/** SEC-1 behind a guard: what one run learnt is masked in the answers of every later one. */
import { expect, test } from "bun:test";
import { KnownSecrets } from "../../src/guard/secrets.ts";
import { REDACTED, Redactor } from "../../src/io/redact.ts";

const nth = (at: number): string => `secret-number-${at}-of-many`;

test("SEC-1 a secret that a run meets is known to the runs after it, and not to those before", () => {
  const secrets = new KnownSecrets();
  const before = secrets.redactor();
  const own = secrets.redactor();
  secrets.remembering(own).learn(nth(1));
  expect(before.clean(nth(1))).toBe(nth(1));
  const second = secrets.redactor();
  expect([own, second].map((one) => one.clean(btoa(nth(1))))).toEqual([REDACTED, REDACTED]);
  // A rotated secret: the old one stays known, and the new one is from the next run on.
  secrets.remembering(second).learn(nth(2));
  expect(secrets.redactor().clean(`${nth(1)} ${nth(2)}`)).toBe(`${REDACTED} ${REDACTED}`);
});

test("SEC-1 of more than 64 secrets, the one that was not met for longest is forgotten", () => {
  const secrets = new KnownSecrets();
  const { learn } = secrets.remembering(new Redactor());
  for (let at = 1; at <= 64; at += 1) learn(nth(at));
  learn(nth(1));
  learn(nth(65));
  const now = secrets.redactor();
  expect(now.clean(nth(2))).toBe(nth(2));
  for (const at of [1, 3, 64, 65]) expect(now.clean(nth(at))).toBe(REDACTED);
});
