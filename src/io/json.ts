/**
 * Token-exact JSON (OUT-2, OUT-3): number tokens, string tokens, key order, integer-like keys and `__proto__` survive;
 * duplicate keys and everything RFC 8259 forbids are refused. Nothing here passes a value through a double.
 */

/** A JSON text that was checked and stripped of insignificant white space; every token is as it arrived. */
export class Exact {
  constructor(
    /** Compact JSON. Not yet escaped for a terminal: io/stdout does that (OUT-4). */
    readonly text: string,
  ) {}
}

/** Ordered tree view of a document. `raw` is the token as written, quotes included for strings. */
export type Node =
  | { readonly kind: "object"; readonly members: readonly (readonly [key: string, value: Node])[] }
  | { readonly kind: "array"; readonly items: readonly Node[] }
  | { readonly kind: "string"; readonly value: string; readonly raw: string }
  | { readonly kind: "number"; readonly raw: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" };
