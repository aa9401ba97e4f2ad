/** The audit trail for those who read it: lines, verification, anchors, export. */
import { join } from "node:path";
import { CliError } from "../../errors.ts";
import { Exact, member, value, visible } from "../../io/json.ts";
import { startMeter } from "../../io/progress.ts";
import type { Runtime } from "../../io/runtime.ts";
import { anchorText, parseAnchor } from "./audit.ts";
import type { Books } from "./books.ts";
import { type Verified, verifyLog, verifySteps } from "./verify.ts";

/** Which files, and against which anchor; without files the trail of this state folder. */
export interface Question {
  readonly files: readonly string[];
  readonly against: string | undefined;
}

/** The trail, here or behind a guard. */
export type AuditReader = Pick<Trail, "verify" | "lines" | "anchor" | "restart">;

/** The whole trail as text: one JSON object a line, or RFC 4180 with a header line. */
export async function exported(
  trail: Pick<AuditReader, "lines">,
  form: "ndjson" | "csv",
): Promise<string> {
  const texts = form === "csv" ? [CSV_HEADER] : [];
  await trail.lines((line) => texts.push(form === "csv" ? csvOf(line) : `${line.text}\n`));
  return texts.join("");
}

export class Trail {
  constructor(
    private readonly books: Books,
    private readonly path: string,
    private readonly host: Pick<Runtime, "log" | "now">,
  ) {}

  /** Throws AUDIT_BROKEN with file, line and reason; INVALID_ARGUMENT for what is not an anchor. */
  async verify({ files, against }: Question): Promise<Verified> {
    const anchor = against === undefined ? undefined : parseAnchor(against);
    const own = files.length === 0;
    const head = own ? this.books.audit.head() : undefined;
    const steps = verifySteps({ files: own ? this.paths() : files, head, against: anchor });
    const meter = startMeter(this.host, "lines");
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      meter(step.value, head?.seq);
      // Reading does not wait for anything; the line for the person is written meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Whole lines in their order, token-exact. */
  async lines(onLine: (line: Exact) => void): Promise<void> {
    verifyLog({
      files: this.paths(),
      onLine: (line) => onLine(new Exact(Buffer.from(line).toString("utf8"))),
    });
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

const COLUMNS: readonly (readonly [name: string, path: readonly string[]])[] = [
  ...["log", "seq", "time", "prev", "event", "key", "command", "origin", "workspace", "user"].map(
    (name) => [name, [name]] as const,
  ),
  ["uid", ["agent", "uid"]],
  ["pid", ["agent", "pid"]],
  ["exe", ["agent", "exe"]],
  ["requestId", ["request", "id"]],
  ["requestType", ["request", "type"]],
  ["bodySha256", ["digests", "body"]],
  ["payloadSha256", ["digests", "payload"]],
  ["decision", ["decision"]],
  ["code", ["result", "code"]],
  ["exit", ["result", "exit"]],
  ["status", ["result", "status"]],
  ["result", ["result"]],
  ["detail", ["detail"]],
  ["data", ["data"]],
  ["version", ["version"]],
  ["level", ["level"]],
];

/** The header line of the CSV form (RFC 4180), with CRLF. */
const CSV_HEADER = `${COLUMNS.map(([name]) => name).join(",")}\r\n`;

/** A line as CSV: every member of the line is in a column; objects are JSON. */
function csvOf(line: Exact): string {
  const cells = COLUMNS.map(([, path]) => {
    let at: Exact | undefined = line;
    for (const name of path) at = at && member(at, name);
    return at === undefined ? "" : cell(at);
  });
  return `${cells.join(",")}\r\n`;
}

function cell(found: Exact): string {
  const isText = found.text.startsWith('"');
  const text = isText ? String(value(found)) : found.text;
  const isFormula = isText && /^[=+\-@\t\r]/.test(text);
  const harmless = visible(isFormula ? `'${text}` : text);
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
