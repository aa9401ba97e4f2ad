/** The time of a command: begun again, stopped for a person, and cut short by an interrupt. */
import { expect, test } from "bun:test";
import { Deadline } from "../../src/app/deadline.ts";

/** Waits until the signal fires; ends the test by its own time limit when it does not. */
function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

const never = new AbortController().signal;

test("it fires at its end", async () => {
  const deadline = new Deadline(1, never);
  await fired(deadline.signal);
  expect(deadline.signal.aborted).toBe(true);
});

test("an interrupt ends it at once", async () => {
  const interrupt = new AbortController();
  const deadline = new Deadline(undefined, interrupt.signal);
  expect(deadline.signal.aborted).toBe(false);
  interrupt.abort();
  expect(deadline.signal.aborted).toBe(true);
});

test("a time that is lifted does not come back", async () => {
  const deadline = new Deadline(1, never);
  deadline.limitTo(undefined);
  await fired(new Deadline(20, never).signal);
  expect(deadline.signal.aborted).toBe(false);
});

test("it is paused while a person is waited for, also when that is nested", async () => {
  const deadline = new Deadline(10, never);
  await deadline.pausedDuring(() =>
    deadline.pausedDuring(() => fired(new Deadline(30, never).signal)),
  );
  expect(deadline.signal.aborted).toBe(false);
  await fired(deadline.signal);
});

test("a limit that is set during a pause counts from the end of the pause", async () => {
  const deadline = new Deadline(undefined, never);
  await deadline.pausedDuring(async () => {
    deadline.limitTo(1);
    await fired(new Deadline(20, never).signal);
    expect(deadline.signal.aborted).toBe(false);
  });
  await fired(deadline.signal);
});
