/** What a command may return besides plain data. */
import type { Exact } from "./io/json.ts";

/** A list that is written as it arrives (SPEC §1, `--all`): batches of items, then the members that close the document. */
export class List {
  constructor(readonly items: AsyncGenerator<readonly Exact[], Record<string, unknown>, void>) {}
}

/** A document that is printed while something goes on until it is stopped (`sandbox start`). */
export class Serving {
  constructor(
    readonly document: unknown,
    readonly ended: Promise<void>,
  ) {}
}

/** Text in place of a document, for the few commands whose result is a script or a guide (SPEC §1). */
export class Text {
  constructor(readonly content: string) {}
}
