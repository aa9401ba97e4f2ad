/**
 * The executable starts as an interpreter (`JIT_POLICY` in scripts/build.ts), which suits a command
 * that is over after some milliseconds. Work that grows with its input says so here.
 */

/** What the executable's runtime offers and other runtimes do not. */
interface Tunable {
  readonly Bun?: { readonly unsafe: { setJITPolicy?(factor: number): void } };
}

let isTold = false;

/**
 * From now on the runtime compiles what runs often; on Node, which always does, nothing changes.
 */
export function expectLongWork(): void {
  if (isTold) return;
  isTold = true;
  (globalThis as Tunable).Bun?.unsafe.setJITPolicy?.(1);
}
