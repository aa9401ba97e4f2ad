/** The whole registry, for tests that look at every command. */
import { openRegistry } from "../../src/commands/registry.ts";

export const commands = await openRegistry();
