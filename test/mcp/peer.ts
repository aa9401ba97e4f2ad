/** A client of the MCP server that a test drives frame by frame, and the server in this process. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { run } from "../../src/app/run.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { accessSettings } from "../../src/sandbox/settings.ts";
import type { Context } from "../../src/world.ts";
import { Collector, testContext } from "../support/forms.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";

export const VERSIONS = ["2026-07-28", "2025-11-25", "2025-06-18"] as const;
export type Version = (typeof VERSIONS)[number];
export const MODERN = VERSIONS[0];

/** A frame as a test looks at it. */
// biome-ignore lint/suspicious/noExplicitAny: frames are looked at member by member
export type Message = any;

/** One end of a conversation: what the server wrote, and what waits for it. */
export class Peer {
  /** Everything that came, frame by frame. */
  readonly received: Message[] = [];
  readonly lines: string[] = [];
  private rest = "";
  private ids = 0;
  private readonly waiting = new Set<() => void>();

  constructor(readonly write: (text: string) => void) {}

  /** What the server wrote. */
  feed(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      this.lines.push(line);
      this.received.push(JSON.parse(line));
    }
    for (const look of [...this.waiting]) look();
  }

  /** What came of an unfinished line. */
  get unfinished(): string {
    return this.rest;
  }

  send(message: object): void {
    this.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  /** The first message that fits, now or later. */
  async find(fits: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.received.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.waiting.delete(look);
          resolve();
        };
        this.waiting.add(look);
      });
    }
  }

  nextId(): number {
    this.ids += 1;
    return this.ids;
  }

  /** Sends a request and returns its answer. */
  async ask(method: string, params?: object): Promise<Message> {
    const id = this.nextId();
    this.send({ id, method, ...(params === undefined ? {} : { params }) });
    return this.find((message) => message.id === id && message.method === undefined);
  }
}

/** What a client says of itself in each request of 2026-07-28. */
export function meta(capabilities: object = {}): object {
  return {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": MODERN,
      "io.modelcontextprotocol/clientCapabilities": capabilities,
    },
  };
}

/** How a test speaks one of the versions. */
export class Speaker {
  private constructor(
    readonly peer: Peer,
    readonly version: Version,
    private readonly capabilities: object,
  ) {}

  static async open(peer: Peer, version: Version, capabilities: object = {}): Promise<Speaker> {
    const speaker = new Speaker(peer, version, capabilities);
    if (version !== MODERN) {
      const clientInfo = { name: "test", version: "1" };
      await peer.ask("initialize", { protocolVersion: version, capabilities, clientInfo });
      peer.send({ method: "notifications/initialized" });
    }
    return speaker;
  }

  params(params: object = {}): object {
    if (this.version !== MODERN) return params;
    const own = "_meta" in params ? (params._meta as object) : {};
    const { _meta } = meta(this.capabilities) as { _meta: object };
    return { ...params, _meta: { ..._meta, ...own } };
  }

  ask(method: string, params: object = {}): Promise<Message> {
    return this.peer.ask(method, this.params(params));
  }

  call(name: string, given?: object, more: object = {}): Promise<Message> {
    const own = given === undefined ? {} : { arguments: given };
    return this.ask("tools/call", { name, ...own, ...more });
  }

  /** Calls a tool and answers its question with what `reply` makes of the message. */
  async confirm(
    name: string,
    given: object,
    reply: (message: string) => object,
  ): Promise<{ readonly answer: Message; readonly message: string }> {
    if (this.version === MODERN) {
      const { result } = await this.call(name, given);
      if (result?.resultType !== "input_required") return { answer: { result }, message: "" };
      const { message } = result.inputRequests.confirm.params;
      const inputResponses = { confirm: reply(message) };
      const { requestState } = result;
      const answer = await this.call(name, given, { inputResponses, requestState });
      return { answer, message };
    }
    const seen = this.peer.received.length;
    const answer = this.call(name, given);
    const isNew = (one: Message): boolean => this.peer.received.indexOf(one) >= seen;
    const asked = await Promise.race([
      this.peer.find((one) => one.method === "elicitation/create" && isNew(one)),
      answer.then(() => undefined),
    ]);
    if (asked === undefined) return { answer: await answer, message: "" };
    const { message } = asked.params;
    this.peer.send({ id: asked.id, result: reply(message) });
    return { answer: await answer, message };
  }
}

/** The document in a result. */
export function documentOf(answer: Message): Message {
  return JSON.parse(answer.result.content[0].text);
}

/** The code of a failure, or what came instead. */
export function codeOf(answer: Message): string {
  if (answer.error !== undefined) return String(answer.error.code);
  return documentOf(answer).error?.code ?? "no failure";
}

/** What the question asks a person to type. */
export function typedFrom(message: string): string {
  return /type [^:]*: (.*)$/m.exec(message)?.[1] ?? "";
}

export const YES = (message: string): object => {
  return { action: "accept", content: { confirm: typedFrom(message) } };
};

export const FORMS = { elicitation: { form: {} } };

/** A server in this process, whose clock a test moves. */
export class Local implements AsyncDisposable {
  readonly stdin = new PassThrough();
  readonly stderr = new Collector();
  readonly peer: Peer;
  readonly interrupt = new AbortController();
  exit: Promise<number>;
  private ahead = 0;
  private stoppedAt: number | undefined;
  private sleepers: { until: number; wake(): void }[] = [];

  constructor(argv: readonly string[], env: Readonly<Record<string, string>>) {
    this.peer = new Peer((text) => void this.stdin.write(text));
    const stdout = new Collector();
    const base = testContext({ env, stdin: undefined, stdout, stderr: this.stderr });
    const context: Context = {
      ...base,
      stdin: this.stdin,
      stdout: { write: async (text) => this.peer.feed(text) },
      interrupt: this.interrupt.signal,
      now: () => this.now(),
      sleep: (ms, signal) => this.sleep(ms, signal),
    };
    this.exit = run(["mcp", ...argv], context);
  }

  private now(): number {
    return (this.stoppedAt ?? Date.now()) + this.ahead;
  }

  /** From here on time passes by `advance` alone. */
  stopClock(): void {
    this.stoppedAt = Date.now();
  }

  private sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { until: this.now() + ms, wake: resolve };
      this.sleepers.push(sleeper);
      const stop = (): void => {
        this.sleepers = this.sleepers.filter((one) => one !== sleeper);
        reject(signal?.reason);
      };
      if (signal?.aborted === true) stop();
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  /** Lets time pass for the server. */
  advance(ms: number): void {
    this.ahead += ms;
    const due = this.sleepers.filter(({ until }) => until <= this.now());
    this.sleepers = this.sleepers.filter((one) => !due.includes(one));
    for (const { wake } of due) wake();
  }

  /** Whether something in the server waits for time to pass. */
  get sleeps(): boolean {
    return this.sleepers.length > 0;
  }

  /** Ends the input, and waits for the end. */
  async end(): Promise<number> {
    this.stdin.end();
    return this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.advance(60_000);
    await this.end();
  }
}

/** A workspace, and an operator whose key is in a file. */
export class Workspace implements AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;

  private constructor(
    readonly sandbox: Sandbox,
    readonly home: string,
  ) {
    const { operator } = sandbox.description;
    const key = join(home, "key.hex");
    writeFileSync(key, operator.privateKey, { mode: 0o600 });
    this.env = {
      HOME: home,
      ...accessSettings(sandbox.description),
      LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: key,
      ...NOTHING_PUBLISHED,
    };
  }

  static async open(seed?: unknown): Promise<Workspace> {
    const sandbox = await startSandbox(seed === undefined ? {} : { seed });
    const made = new Workspace(sandbox, mkdtempSync(join(tmpdir(), "mcp-")));
    await made.cli(["login", "api"]);
    return made;
  }

  /** What the command line prints for the same. */
  async cli(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const [stdout, stderr] = [new Collector(), new Collector()];
    const own = { ...this.env, ...env };
    await run(argv, testContext({ env: own, stdin: undefined, stdout, stderr }));
    return stdout.text;
  }

  serve(argv: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Local {
    return new Local(argv, { ...this.env, ...env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}
