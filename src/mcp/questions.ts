/**
 * Open questions to a person. A client of an older revision gets a request and answers it; one of
 * 2026-07-28 gets a result with a sealed state, and answers by calling again with both.
 */
import { CliError } from "../errors.ts";
import { type Exact, member } from "../io/json.ts";
import type { Context } from "../world.ts";
import { type Asked, CONFIRM_MS, expired, formOf } from "./confirm.ts";
import { textOf } from "./frames.ts";
import { Later } from "./later.ts";
import { messageLine } from "./protocol.ts";
import { newNonce, Seal } from "./seal.ts";

const MOST_QUESTIONS = 8;

/** What a client answered; undefined for no answer, which is a no. */
type Reply = Exact | undefined;

/** A call that stops at a question. */
export interface Asker {
  readonly isModern: boolean;
  readonly tool: string;
  /** The arguments of the call. */
  readonly given: Exact | undefined;
  /** A call that is stopped while its question is open counts as a no. */
  readonly stop: AbortSignal;
  /** Gets the question that the request of 2026-07-28 is answered with. */
  suspend(question: Suspended): void;
}

/** A question as a result of 2026-07-28. */
export interface Suspended {
  readonly asked: Asked;
  readonly state: string;
}

interface Waiting<T> {
  readonly of: T;
  answer(reply: Reply): void;
}

interface QuestionsHost {
  readonly context: Context;
  send(line: string): void;
  /** Where the session is, and whose. */
  place(): string;
}

/** The questions of one conversation; `T` is what a question belongs to. */
export class Questions<T> {
  private readonly sent = new Map<string, (reply: Reply) => void>();
  private readonly suspended = new Map<string, Waiting<T>>();
  private readonly seal = new Seal();
  private count = 0;

  constructor(private readonly host: QuestionsHost) {}

  /** Takes what a client of an older revision answered. */
  accept(id: Exact, reply: Reply): void {
    this.sent.get(textOf(id) ?? "")?.(reply);
  }

  /**
   * Lets the call go on that `state` belongs to, and returns what its question belongs to. A state
   * works once. Throws CONFIRMATION_EXPIRED for every other one.
   */
  resume(tool: string, params: Exact, state: Exact): T {
    const now = this.host.context.now();
    const bond = this.bondOf(tool, member(params, "arguments"));
    const nonce = this.seal.nonceOf(textOf(state) ?? "", bond, now) ?? "";
    const waiting = this.suspended.get(nonce);
    if (waiting === undefined)
      throw expired("The requestState is not one of an open question of this call.");
    this.suspended.delete(nonce);
    const answers = member(params, "inputResponses");
    waiting.answer(answers && member(answers, "confirm"));
    return waiting.of;
  }

  /** The client's answer. Throws CONFIRMATION_EXPIRED after five minutes, RATE_LIMITED. */
  async ask(of: T, asker: Asker, asked: Asked, payload: string): Promise<Reply> {
    const { promise, resolve } = new Later<Reply>();
    const done = new AbortController();
    asker.stop.addEventListener("abort", () => resolve(undefined), { once: true });
    if (asker.stop.aborted) resolve(undefined);
    const forget = asker.isModern
      ? this.suspend({ of, answer: resolve }, asker, asked, payload)
      : this.send(asked, resolve);
    const over = this.host.context.sleep(CONFIRM_MS, done.signal).then(
      () => {
        throw expired("The question was not answered within five minutes.");
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

  private send(asked: Asked, answer: (reply: Reply) => void): () => void {
    this.count += 1;
    const id = `confirm-${this.count}`;
    this.sent.set(id, answer);
    this.host.send(messageLine({ id, method: "elicitation/create", params: formOf(asked) }));
    return () => this.sent.delete(id);
  }

  private suspend(waiting: Waiting<T>, asker: Asker, asked: Asked, payload: string): () => void {
    if (this.suspended.size >= MOST_QUESTIONS)
      throw new CliError("RATE_LIMITED", { message: "Too many questions wait for a person." });
    const nonce = newNonce();
    const expiresAt = this.host.context.now() + CONFIRM_MS;
    const bond = this.bondOf(asker.tool, asker.given);
    this.suspended.set(nonce, waiting);
    asker.suspend({ asked, state: this.seal.make(nonce, expiresAt, bond, payload) });
    return () => this.suspended.delete(nonce);
  }

  private bondOf(tool: string, given: Exact | undefined) {
    return { tool, arguments: given?.text ?? "", place: this.host.place() };
  }
}
