/** The whole registry, for what describes it. */
import { openRegistry } from "./registry.ts";

export const commands = await openRegistry();
