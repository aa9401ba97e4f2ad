/**
 * The conversation with one client: frames in, lines out. It knows which calls are open, which
 * questions wait for a person, and what may still be stopped.
 *
 * What flows where: frame → era → tool → order → lane → command (call.ts) → result. An act stops at
 * `confirm`, after the policy; its answer lets the very same call go on, so that the bytes that a
 * person saw are the bytes that are signed.
 */
import type { Question } from "../app/occasion.ts";
import type { Group } from "../cli/command.ts";
import { CliError } from "../errors.ts";
import { type Exact, member } from "../io/json.ts";
import type { Sink } from "../io/stdout.ts";
import type { Context } from "../world.ts";
import { type Answer, carryOut, type Surroundings } from "./call.ts";
import { expired, formOf, questionOf, requireYes, unavailable } from "./confirm.ts";
import { type Frame, textOf } from "./frames.ts";
import { Lanes, Rate } from "./lanes.ts";
import { atMost, Later } from "./later.ts";
import type { Pin } from "./pin.ts";
import { type Era, errorLine, messageLine, Protocol, RpcError, resultLine } from "./protocol.ts";
import { type Asker, Questions, type Suspended } from "./questions.ts";
import type { Order, Tool } from "./tools.ts";

const CALLS_A_MINUTE = 120;
const WRITES_A_MINUTE = 6;
const PROGRESS_MS = 1000;
/** How long a write that was sent is awaited when everything else ends. */
const LAST_WRITES_MS = 30_000;
/**
 * How long everything else may take to stop: longer than a helper's open streams and the answer to
 * a refresh of the session are awaited, and shorter than clients wait until they kill.
 */
const STOPPED_MS = 3_000;

/** What the server is given. */
export interface ServerHost {
  readonly context: Context;
  readonly debug: boolean;
  /** Whether a person types a value before each act; otherwise the client alone asks. */
  readonly asksPerson: boolean;
  readonly pin: Pin;
  readonly stderr: Sink;
  registry(): Promise<Group>;
  tools(): Promise<readonly Tool[]>;
  instructions(): Promise<string>;
  /** Loads everything that an act can need. */
  load(): Promise<void>;
  /** Writes a line; a line that cannot be written ends the conversation. */
  send(line: string): void;
}

type Request = Extract<Frame, { kind: "request" }>;

/** A request that has no answer yet. */
interface Open {
  readonly request: Request;
  readonly era: Era;
  isCancelled: boolean;
  work: Work | undefined;
  /** Settled when its answer was handed over, or is not wanted. */
  readonly answered: Later<void>;
}

/** A command at work. It outlives the request that began it when a question is the answer. */
class Work {
  readonly controller = new AbortController();
  isSent = false;
  isCounted = false;
  /** Digest of what a person agreed to. */
  agreed: string | undefined;
  outcome: Promise<Answer> | undefined;
  private question = new Later<Suspended>();

  constructor(
    readonly tool: Tool,
    /** The request that gets the answer. */
    public owner: Open,
  ) {}

  /** Throws CONFIRMATION_EXPIRED once it was stopped. */
  requireWanted(): void {
    if (this.controller.signal.aborted) throw expired("The call was cancelled.");
  }

  /** Stops what can still be stopped: nothing that was sent is torn off. */
  stop(): void {
    if (!this.isSent) this.controller.abort();
  }

  ask(question: Suspended): void {
    this.question.resolve(question);
  }

  /** The next question. */
  async asked(): Promise<Suspended> {
    const question = await this.question.promise;
    this.question = new Later();
    return question;
  }
}

/** A call as it puts a question. */
function askerOf(work: Work): Asker {
  const { era, request } = work.owner;
  return {
    isModern: era.isModern,
    tool: work.tool.name,
    given: member(request.params ?? EMPTY, "arguments"),
    stop: work.controller.signal,
    suspend: (question) => work.ask(question),
  };
}

/** One conversation. */
export class Server {
  private readonly open = new Map<string, Open>();
  private readonly works = new Set<Work>();
  private readonly questions: Questions<Work>;
  private readonly lanes = new Lanes();
  private readonly calls: Rate;
  private readonly acts: Rate;
  private readonly protocol: Protocol;
  private isClosing = false;

  constructor(private readonly host: ServerHost) {
    const { now } = host.context;
    this.calls = new Rate(CALLS_A_MINUTE, now);
    this.acts = new Rate(WRITES_A_MINUTE, now);
    const { context, send, pin } = host;
    this.questions = new Questions({ context, send, place: () => pin.place });
    this.protocol = new Protocol({
      instructions: host.instructions,
      tools: async () => (await host.tools()).map(({ definition }) => definition),
    });
  }

  /** Takes one frame. Answers come later, in the order in which they are ready. */
  accept(frame: Frame): void {
    if (this.isClosing) return;
    switch (frame.kind) {
      case "fault": {
        const isFree = frame.id !== undefined && !this.open.has(keyOf(frame.id));
        this.host.send(
          errorLine(isFree ? frame.id : undefined, new RpcError(frame.code, frame.message)),
        );
        return;
      }
      case "notification":
        if (frame.method === "notifications/cancelled") this.cancel(frame.params);
        return;
      case "answer":
        this.questions.accept(frame.id, frame.result);
        return;
      default:
        void this.serve(frame);
    }
  }

  /** Ends: what was not sent stops, and closes its record; a write that was sent is awaited. */
  async close(): Promise<void> {
    this.isClosing = true;
    for (const work of this.works) work.stop();
    await this.ended([...this.works], STOPPED_MS);
    const sent = [...this.works].filter(({ isSent }) => isSent);
    await this.ended(sent, LAST_WRITES_MS);
  }

  /** Waits until these have their answers, at most that long. */
  private async ended(works: readonly Work[], ms: number): Promise<void> {
    if (works.length === 0) return;
    const answers = works.flatMap(({ outcome, owner }) => [outcome, owner.answered.promise]);
    await atMost(ms, answers, this.host.context);
  }

  private cancel(params: Exact | undefined): void {
    const id = params && member(params, "requestId");
    const open = id === undefined ? undefined : this.open.get(keyOf(id));
    if (open === undefined || open.request.method === "initialize") return;
    open.isCancelled = true;
    open.work?.stop();
  }

  private async serve(request: Request): Promise<void> {
    const { id, method, params } = request;
    const key = keyOf(id);
    // With the id, a client would take this for the end of the request that is open.
    if (this.open.has(key)) {
      this.host.send(errorLine(undefined, new RpcError(-32600, "The id is in use.")));
      return;
    }
    let open: Open | undefined;
    let line: string;
    try {
      const era = this.protocol.eraOf(method, params);
      open = { request, era, isCancelled: false, work: undefined, answered: new Later() };
      this.open.set(key, open);
      line =
        method === "tools/call"
          ? await this.call(open)
          : resultLine(id, era, await this.protocol.answer(method, params, era));
    } catch (cause) {
      const isKnown = cause instanceof RpcError;
      line = errorLine(id, isKnown ? cause : new RpcError(-32603, "The server failed."));
    }
    this.open.delete(key);
    const isUnwanted =
      open?.isCancelled === true || (this.isClosing && open?.work?.isSent !== true);
    if (!isUnwanted) this.host.send(line);
    open?.answered.resolve();
  }

  private async call(open: Open): Promise<string> {
    const { request, era } = open;
    const { params = EMPTY } = request;
    const name = textOf(member(params, "name"));
    const given = member(params, "arguments");
    if (name === undefined) throw new RpcError(-32602, "tools/call needs the name of a tool.");
    if (given !== undefined && !given.text.startsWith("{"))
      throw new RpcError(-32602, "arguments is an object.");
    const tool = (await this.host.tools()).find((one) => one.name === name);
    if (tool === undefined) throw new RpcError(-32602, "There is no such tool.");
    const state = era.isModern ? member(params, "requestState") : undefined;
    if (state !== undefined) return this.resume(open, tool, params, state);
    if (this.lanes.isFull) throw new RpcError(-32603, "The server is busy: too many calls wait.");
    const work = new Work(tool, open);
    open.work = work;
    this.works.add(work);
    // One that arrived with the end of the input.
    if (this.isClosing) work.stop();
    work.outcome = this.run(work, () => tool.order(given));
    return this.settle(work, open);
  }

  private async run(work: Work, order: () => Order): Promise<Answer> {
    const { tool } = work;
    const lane = tool.isAct ? "write" : "read";
    if (tool.isAct) await this.host.load();
    await this.lanes.enter(lane);
    try {
      return await carryOut(() => {
        work.requireWanted();
        return order();
      }, this.around(work));
    } finally {
      this.lanes.leave(lane);
      this.works.delete(work);
    }
  }

  /** The answer of a call: its result, or the question that it stopped at. */
  private async settle(work: Work, open: Open): Promise<string> {
    const { id } = open.request;
    const next = await Promise.race([work.outcome, work.asked()]);
    if (next === undefined) throw new Error("A call that never began.");
    if ("asked" in next) {
      const confirm = { method: "elicitation/create", params: formOf(next.asked) };
      const result = { inputRequests: { confirm }, requestState: next.state };
      return resultLine(id, open.era, result, "input_required");
    }
    if (work.isSent && (open.isCancelled || this.isClosing)) this.report(work, next);
    const texts = [next.text, ...(next.warnings.length > 0 ? [next.warnings.join("\n")] : [])];
    const content = texts.map((text) => ({ type: "text", text }));
    return resultLine(id, open.era, { content, isError: next.isFailure });
  }

  /** The caller no longer gets an answer: the person at the machine does. */
  private report({ tool }: Work, { outcome }: Answer): void {
    void this.host.stderr.write(`${tool.name} was cancelled after it was sent. ${outcome}\n`);
  }

  private async resume(open: Open, tool: Tool, params: Exact, state: Exact): Promise<string> {
    const { request, era } = open;
    let work: Work;
    try {
      work = this.questions.resume(tool.name, params, state);
    } catch (cause) {
      const refuse = (): never => {
        throw cause;
      };
      const { text } = await carryOut(refuse, this.around(new Work(tool, open)));
      return resultLine(request.id, era, { content: [{ type: "text", text }], isError: true });
    }
    open.work = work;
    work.owner = open;
    return this.settle(work, open);
  }

  private around(work: Work): Surroundings {
    const { context, debug, registry, stderr, pin } = this.host;
    const progress = this.progressOf(work);
    return {
      ...{ context, debug, registry, stderr, stop: work.controller.signal },
      accepts: (session) => pin.accept(session),
      starting: ({ command }) => {
        if (command.effect !== "local") requireRate(this.calls, "calls", CALLS_A_MINUTE);
      },
      reaching: () => {
        if (!work.isCounted) this.calls.count();
        work.isCounted = true;
        progress();
      },
      tell: (text) => progress(text),
      sending: () => {
        work.requireWanted();
        work.isSent = true;
        this.acts.count();
      },
      confirm: (question) => this.confirm(work, question),
    };
  }

  private progressOf(work: Work): (message?: string) => void {
    const { now } = this.host.context;
    let count = 0;
    let last = Number.NEGATIVE_INFINITY;
    return (message) => {
      const { request, isCancelled } = work.owner;
      const meta = request.params && member(request.params, "_meta");
      const progressToken = meta && member(meta, "progressToken");
      const isLate = !this.open.has(keyOf(request.id)) || isCancelled;
      if (progressToken === undefined || !/^["\d-]/.test(progressToken.text) || isLate) return;
      count += 1;
      if (message === undefined && now() - last < PROGRESS_MS) return;
      last = now();
      const params = { progressToken, progress: count, message };
      this.host.send(messageLine({ method: "notifications/progress", params }));
    };
  }

  private async confirm(work: Work, question: Question): Promise<void> {
    const { intent } = question;
    const content = intent.content?.payloadSha256;
    if (intent.kind !== "sign" && content !== undefined && work.agreed === content) return;
    requireRate(this.acts, "writes", WRITES_A_MINUTE);
    // The device shows what it approves, and its owner confirms there.
    if (intent.kind !== "deviceApprove" && this.host.asksPerson) {
      if (!work.owner.era.hasForms)
        throw unavailable(intent, "The client cannot put a question to a person.");
      const asked = questionOf({ intent, summary: await question.meaning() });
      // A person may take minutes; others go on meanwhile.
      this.lanes.leave("write");
      try {
        const payload = content ?? intent.kind;
        const answer = () => this.questions.ask(work, askerOf(work), asked, payload);
        requireYes(await question.patiently(answer), asked);
      } finally {
        await this.lanes.enter("write");
      }
      work.requireWanted();
    }
    work.agreed = content;
  }
}

const EMPTY: Exact = { text: "{}" };

/** One spelling of an id: a string and a number are never the same. */
function keyOf(id: Exact): string {
  const text = textOf(id);
  if (text !== undefined) return JSON.stringify(text);
  return /^-?\d+$/.test(id.text) ? String(BigInt(id.text)) : id.text;
}

function requireRate(rate: Rate, what: string, most: number): void {
  const retryAfterSeconds = rate.waitSeconds;
  if (retryAfterSeconds === 0) return;
  throw new CliError("RATE_LIMITED", {
    message: `This server takes ${most} ${what} a minute.`,
    retryAfterSeconds,
  });
}
