/** In the place of src/guard/serve.ts: no npm package serves as a guard. */
import type { Run } from "../../src/app/occasion.ts";
import { cannotSee, requirePlatform } from "../../src/guard/platform.ts";
import type { ServeOptions } from "../../src/guard/serve.ts";

/** Throws NOT_SUPPORTED, as the whole module does on Node. */
export async function serve(_: ServeOptions, run: Run): Promise<never> {
  requirePlatform(run);
  throw cannotSee();
}
