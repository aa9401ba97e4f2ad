/** Path of the Bun executable in node_modules, or undefined. */
export function findBun(): string | undefined;
