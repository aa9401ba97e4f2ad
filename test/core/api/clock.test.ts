/** The API's clock: which answers are believed, and for how long. */
import { expect, test } from "bun:test";
import { ApiClock } from "../../../src/core/api/clock.ts";

const NOON = Date.UTC(2026, 10, 28, 12);
const MINUTE = 60_000;

function open() {
  const time = { local: NOON, elapsed: 1000 };
  const clock = new ApiClock(
    () => time.local,
    () => time.elapsed,
  );
  const saw = (ms: number) => clock.saw(new Date(ms).toUTCString());
  return { clock, time, saw };
}

test("A10 without an answer, and with a Date that is not one, the clock is not known", () => {
  const { clock } = open();
  expect(clock.time()).toBeUndefined();
  for (const date of [null, "", "yesterday"]) clock.saw(date);
  expect(clock.time()).toBeUndefined();
});

test.each([-5 * MINUTE, 0, 5 * MINUTE])(
  "A10 a Date that is %d ms from the local time is believed, one that is farther is not",
  (off) => {
    const { clock, saw } = open();
    saw(NOON + off + Math.sign(off || 1) * (off === 0 ? 6 : 1) * MINUTE);
    expect(clock.time()).toBeUndefined();
    saw(NOON + off);
    expect(clock.time()).toBe(NOON + off);
  },
);

test("A10 the largest Date counts, carried on by the clock that cannot be set", () => {
  const { clock, time, saw } = open();
  saw(NOON + 2 * MINUTE);
  saw(NOON - 2 * MINUTE);
  expect(clock.time()).toBe(NOON + 2 * MINUTE);
  time.elapsed += MINUTE;
  time.local -= 60 * MINUTE;
  expect(clock.time()).toBe(NOON + 3 * MINUTE);
});

test("A10 ten minutes without a confirmed answer end it; the next one brings it back", () => {
  const { clock, time, saw } = open();
  saw(NOON);
  time.elapsed += 10 * MINUTE;
  expect(clock.time()).toBe(NOON + 10 * MINUTE);
  time.elapsed += 1;
  expect(clock.time()).toBeUndefined();
  // The local time is far behind by now: an answer that it does not confirm changes nothing.
  saw(NOON + 10 * MINUTE);
  expect(clock.time()).toBeUndefined();
  time.local = NOON + 10 * MINUTE;
  saw(NOON + 10 * MINUTE);
  expect(clock.time()).toBe(NOON + 10 * MINUTE + 1);
});
