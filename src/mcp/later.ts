import type { Context } from "../world.ts";

/** Waits for work, at most that long; what is not over by then goes on. */
export async function atMost(
  ms: number,
  work: readonly unknown[],
  { sleep }: Pick<Context, "sleep">,
): Promise<void> {
  const patience = new AbortController();
  const over = sleep(ms, patience.signal).catch(() => undefined);
  await Promise.race([Promise.all(work), over]);
  patience.abort();
}

/** A value that another part of the program sets later. Node 20 has no `Promise.withResolvers`. */
export class Later<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}
