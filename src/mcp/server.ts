/**
 * The conversation with one client: frames in, lines out. It knows which calls are open, which
 * questions wait for a person, and what may still be stopped.
 *
 * What flows where: frame → era → tool → order → lane → command (call.ts) → result. An act stops at
 * `confirm`, after the policy; its answer lets the very same call go on, so that the bytes that a
 * person saw are the bytes that are signed.
 */
import type { Question } from "../app/invoke.ts";
import type { Group } from "../cli/command.ts";
import type { Intent } from "../core/acts.ts";
import { CliError } from "../errors.ts";
import { type Exact, encode, member } from "../io/json.ts";
import type { Sink } from "../io/stdout.ts";
import type { Context } from "../world.ts";
import { type Answer, carryOut, type Surroundings } from "./call.ts";
import {
  type Asked,
  CONFIRM_MS,
  expired,
  formOf,
  questionOf,
  requireYes,
  unavailable,
} from "./confirm.ts";
import { type Frame, textOf } from "./frames.ts";
import { Lanes, Rate } from "./lanes.ts";
import { Later } from "./later.ts";
import type { Pin } from "./pin.ts";
import { type Era, errorLine, messageLine, Protocol, RpcError, resultLine } from "./protocol.ts";
import { type Bond, newNonce, Seal } from "./seal.ts";
import type { Order, Tool } from "./tools.ts";

const CALLS_A_MINUTE = 120;
const WRITES_A_MINUTE = 6;
const MOST_QUESTIONS = 8;
const PROGRESS_MS = 1000;
/** How long a write that was sent is awaited when everything else ends. */
const LAST_WRITES_MS = 30_000;

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
}

/** A command at work. It outlives the request that began it when a question is the answer. */
class Work {
  readonly controller = new AbortController();
  isSent = false;
  isCounted = false;
  /** Digest of what a person agreed to. */
  agreed: string | undefined;
  outcome: Promise<Answer> | undefined;
  private question = new Later<Waiting>();

  constructor(
    readonly tool: Tool,
    /** The request that gets the answer. */
    public owner: Open,
  ) {}

  /** Stops what can still be stopped: nothing that was sent is torn off. */
  stop(): void {
    if (!this.isSent) this.controller.abort();
  }

  ask(waiting: Waiting): void {
    this.question.resolve(waiting);
  }

  /** The next question. */
  async asked(): Promise<Waiting> {
    const waiting = await this.question.promise;
    this.question = new Later();
    return waiting;
  }
}

/** A question that a request of 2026-07-28 was answered with. */
interface Waiting {
  readonly asked: Asked;
  readonly state: string;
  readonly work: Work;
  answer(result: Exact | undefined): void;
}

/** One conversation. */
export class Server {
  private readonly open = new Map<string, Open>();
  private readonly works = new Set<Work>();
  /** Questions of ours to a client of an older revision, by id. */
  private readonly sentQuestions = new Map<string, (result: Exact | undefined) => void>();
  private readonly waiting = new Map<string, Waiting>();
  private readonly lanes = new Lanes();
  private readonly calls: Rate;
  private readonly acts: Rate;
  private readonly seal = new Seal();
  private readonly protocol: Protocol;
  private questions = 0;
  private isClosing = false;

  constructor(private readonly host: ServerHost) {
    const { now } = host.context;
    this.calls = new Rate(CALLS_A_MINUTE, now);
    this.acts = new Rate(WRITES_A_MINUTE, now);
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
        this.sentQuestions.get(keyOf(frame.id))?.(frame.result);
        return;
      default:
        void this.serve(frame);
    }
  }

  /** Ends: reads stop, a write that was sent is awaited. */
  async close(): Promise<void> {
    this.isClosing = true;
    for (const work of this.works) work.stop();
    const sent = [...this.works].filter(({ isSent }) => isSent).map(({ outcome }) => outcome);
    if (sent.length === 0) return;
    const patience = new AbortController();
    const over = this.host.context.sleep(LAST_WRITES_MS, patience.signal).catch(() => undefined);
    await Promise.race([Promise.all(sent), over]);
    patience.abort();
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
      open = { request, era, isCancelled: false, work: undefined };
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
    if (state !== undefined) return this.resume(open, tool, given, textOf(state));
    if (this.lanes.isFull) throw new RpcError(-32603, "The server is busy: too many calls wait.");
    const work = new Work(tool, open);
    open.work = work;
    this.works.add(work);
    work.outcome = this.run(work, () => tool.order(given));
    return this.settle(work, open);
  }

  private async run(work: Work, order: () => Order): Promise<Answer> {
    const { tool, controller } = work;
    const lane = tool.isAct ? "write" : "read";
    if (tool.isAct) await this.host.load();
    await this.lanes.enter(lane);
    try {
      return await carryOut(() => {
        if (controller.signal.aborted) throw expired("The call was cancelled.");
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

  /** Whoever asked gets no answer any more: the person at the machine does. */
  private report({ tool }: Work, { outcome }: Answer): void {
    void this.host.stderr.write(`${tool.name} was cancelled after it was sent. ${outcome}\n`);
  }

  private async resume(
    open: Open,
    tool: Tool,
    given: Exact | undefined,
    state: string | undefined,
  ): Promise<string> {
    const bond = this.bondOf(tool, given);
    const nonce = state && this.seal.nonceOf(state, bond, this.host.context.now());
    const waiting = nonce ? this.waiting.get(nonce) : undefined;
    if (nonce === undefined || nonce === "" || waiting === undefined) {
      const refuse = (): never => {
        throw expired("The requestState is not one of an open question of this call.");
      };
      const { text } = await carryOut(refuse, this.around(new Work(tool, open)));
      return resultLine(open.request.id, open.era, {
        content: [{ type: "text", text }],
        isError: true,
      });
    }
    this.waiting.delete(nonce);
    const { work } = waiting;
    open.work = work;
    work.owner = open;
    const answers = member(open.request.params ?? EMPTY, "inputResponses");
    waiting.answer(answers && member(answers, "confirm"));
    return this.settle(work, open);
  }

  private bondOf({ name }: Tool, given: Exact | undefined): Bond {
    return { tool: name, arguments: given?.text ?? "", place: this.host.pin.place };
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
        const answer = () => this.answerTo(work, asked, intent);
        requireYes(await question.patiently(answer), asked);
      } finally {
        await this.lanes.enter("write");
      }
    }
    work.agreed = content;
  }

  /** The client's answer. Throws CONFIRMATION_EXPIRED after five minutes. */
  private async answerTo(work: Work, asked: Asked, intent: Intent): Promise<Exact | undefined> {
    const { context } = this.host;
    const { promise, resolve } = new Later<Exact | undefined>();
    const done = new AbortController();
    const { signal } = work.controller;
    // A call that is cancelled while its question is open counts as a no.
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
    if (signal.aborted) resolve(undefined);
    const forget = work.owner.era.isModern
      ? this.wait(work, asked, intent.content?.payloadSha256 ?? encode(intent.kind), resolve)
      : this.sendQuestion(asked, resolve);
    const over = context.sleep(CONFIRM_MS, done.signal).then(
      () => {
        throw expired("Nobody answered within five minutes.");
      },
      () => undefined,
    );
    try {
      return await Promise.race([promise, over]);
    } finally {
      done.abort();
      forget();
    }
  }

  private sendQuestion(asked: Asked, answer: (result: Exact | undefined) => void): () => void {
    this.questions += 1;
    const id = `confirm-${this.questions}`;
    const key = JSON.stringify(id);
    this.sentQuestions.set(key, answer);
    this.host.send(messageLine({ id, method: "elicitation/create", params: formOf(asked) }));
    return () => this.sentQuestions.delete(key);
  }

  private wait(
    work: Work,
    asked: Asked,
    payload: string,
    answer: (result: Exact | undefined) => void,
  ): () => void {
    if (this.waiting.size >= MOST_QUESTIONS)
      throw new CliError("RATE_LIMITED", { message: "Too many questions wait for a person." });
    const nonce = newNonce();
    const { params = EMPTY } = work.owner.request;
    const bond = this.bondOf(work.tool, member(params, "arguments"));
    const expiresAt = this.host.context.now() + CONFIRM_MS;
    const state = this.seal.make(nonce, expiresAt, bond, payload);
    const waiting = { asked, state, work, answer };
    this.waiting.set(nonce, waiting);
    work.ask(waiting);
    return () => this.waiting.delete(nonce);
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
