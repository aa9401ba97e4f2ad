/** The audit trail for those who read it: lines, verification, anchors, export. */
import { join } from "node:path";
import { CliError } from "../../errors.ts";
import { Exact } from "../../io/json.ts";
import { startMeter } from "../../io/progress.ts";
import type { Redactor } from "../../io/redact.ts";
import { layOut, parseColumn } from "../../io/rows.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { StreamedList } from "../../io/stdout.ts";
import { anchorText, parseAnchor } from "./audit.ts";
import type { Books } from "./books.ts";
import { type Verified, verifySteps } from "./verify.ts";

/** Which files, and against which anchor; without files the trail of this state folder. */
export interface Question {
  readonly files: readonly string[];
  readonly against: string | undefined;
}

/** The trail, here or behind a guard. */
export interface AuditReader extends Pick<Trail, "verify" | "anchor" | "restart"> {
  /** Whole lines in their order, token-exact; a broken log throws where it is broken. */
  lines(): AsyncIterable<readonly Exact[]>;
}

/** The whole trail as text, part by part: one JSON object a line, or RFC 4180 with a header. */
export function exported(
  trail: Pick<AuditReader, "lines">,
  form: "ndjson" | "csv",
  redactor: Redactor,
): AsyncGenerator<string, unknown, void> {
  return layOut(pagesOf(trail), form, COLUMNS.map(parseColumn), redactor);
}

async function* pagesOf(trail: Pick<AuditReader, "lines">): StreamedList["items"] {
  for await (const lines of trail.lines()) yield lines;
  return { complete: true };
}

export class Trail {
  constructor(
    private readonly books: Books,
    private readonly path: string,
    private readonly host: Pick<Runtime, "log" | "now" | "stop">,
  ) {}

  /** Throws AUDIT_BROKEN with file, line and reason; INVALID_ARGUMENT for what is not an anchor. */
  async verify({ files, against }: Question): Promise<Verified> {
    const anchor = against === undefined ? undefined : parseAnchor(against);
    const own = files.length === 0;
    const head = own ? this.books.audit.head() : undefined;
    const steps = verifySteps({ files: own ? this.paths() : files, head, against: anchor }, false);
    const meter = startMeter(this.host, "lines");
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      meter(step.value.read, head?.seq);
      await this.giveWay();
    }
  }

  /** Whole lines in their order, token-exact; verified while they are given. */
  async *lines(): AsyncGenerator<readonly Exact[], void, void> {
    for (const { lines } of verifySteps({ files: this.paths() }, true)) {
      yield lines.map(({ line }) => new Exact(Buffer.from(line).toString("utf8")));
      await this.giveWay();
    }
  }

  /**
   * Reading waits for nothing, and would let nothing else happen: a person's line is written now, a
   * guard hears its clients, and a signal is heard. Throws TIMEOUT at the command's end.
   */
  private async giveWay(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.host.stop.aborted) return;
    throw new CliError("TIMEOUT", { message: "The command ended before the trail was read." });
  }

  /**
   * Writes a line `anchored` and returns its anchor, to be kept where no process of this machine
   * can change it.
   */
  async anchor(command: string): Promise<string> {
    return this.books.alone(async (pages) => {
      const head = pages.audit({ event: "anchored", command });
      if (head !== undefined) return anchorText(head, this.host.now());
      throw new CliError("NOT_SUPPORTED", {
        message: "The audit trail is switched off.",
        hint: "Unset LEDGER_ENTERPRISE_AUDIT, or set it to ids or full.",
      });
    });
  }

  /** Begins broken logs anew; returns the anchor of the line that says so. */
  async restart(reason: string, command: string): Promise<string> {
    return this.books.alone(async (pages) =>
      anchorText(pages.restart(reason, command), this.host.now()),
    );
  }

  private paths(): string[] {
    return this.books.audit.files().map((file) => join(this.path, "audit", file));
  }
}

/** Every member of a line is in a column; objects without columns of their own are JSON. */
const COLUMNS = [
  ...["log", "seq", "time", "prev", "event", "key", "command", "origin", "workspace", "user"],
  ...["agent.uid", "agent.pid", "agent.exe", "request.id", "request.type", "digests.body"],
  ...["digests.payload", "decision", "result.code", "result.exit", "result.status", "result"],
  ...["detail", "data", "version", "level"],
];
