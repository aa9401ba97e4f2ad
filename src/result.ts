/** What a command may return besides plain data. */
import type { Sink, StreamedList } from "./io/stdout.ts";

/** A list that is written as it arrives. */
export class List implements StreamedList {
  constructor(
    readonly items: StreamedList["items"],
    /** How many items there will be, as far as that is known by now. */
    readonly expected: () => number | undefined = () => undefined,
  ) {}
}

/**
 * A document without secrets of anybody's that is printed while something goes on until it is
 * stopped (`sandbox start`, `guard serve`).
 */
export class Serving {
  constructor(
    readonly document: unknown,
    readonly ended: Promise<void>,
    /** A service ends with exit 0 when it is told to end. */
    readonly isService = false,
  ) {}
}

/**
 * A document whose file is written when it is settled what is printed: `--fields` with a wrong name
 * leaves none behind.
 */
export class WithFile {
  constructor(
    readonly document: unknown,
    /** Throws FILE_EXISTS, INVALID_PATH, IO_ERROR. */
    readonly write: () => Promise<void>,
  ) {}
}

/**
 * Text in place of a document, for the few commands whose result is a script or a guide
 * (specification §1).
 */
export class Text {
  constructor(readonly content: string) {}
}

/** Text that is written while it is made (`audit export`). */
export class TextParts {
  constructor(readonly parts: AsyncGenerator<string, unknown, void>) {}
}

/** A conversation in place of a document: `hold` has stdout to itself until it ends. */
export class Dialogue {
  constructor(readonly hold: (stdout: Sink) => Promise<void>) {}
}
