/**
 * One HTTP exchange with the configured API and nothing else (NET-1, NET-3, NET-4, NET-5, NET-8,
 * NET-9, NET-11): no redirects, a deadline, a size limit after decompression, repeated GETs, and
 * every failure as a CliError. The only caller of `fetch` here.
 */
import { createFetch } from "ofetch";
import { CliError, type ErrorCode } from "../../errors.ts";
import { Exact } from "../../io/json.ts";
import type { Runtime } from "../../io/runtime.ts";
import { ACCEPTED_ENCODINGS } from "../../io/unpack.ts";
import type { WriteKind } from "../acts.ts";
import type { Endpoint } from "../auth/endpoint.ts";
import { type SendingTime, tooLate } from "../sending.ts";
import { documentOf, invalid, isJson, readAnswer, readBody } from "./answer.ts";
import { ExchangeTimer } from "./exchangetimer.ts";
import { apiErrorOf, callIdOf, codeOfStatus, retryAfter, sentenceOf } from "./failure.ts";
import { type Message, messageOf } from "./message.ts";
import { isDefiniteRefusal, saysNothing } from "./outcome.ts";
import { headersOf, type Target, urlOf } from "./outgoing.ts";
import type { Companion } from "./pages.ts";
import { explain, type TransportFailure } from "./transport.ts";

const ANSWER_MAX_BYTES = 32 * 1024 * 1024;
const REPEATS = 2;
/** The base URL of API V1, which has no path. */
const V1_ORIGIN = "https://api.vault.ledger.com";
const LONGEST_WAIT_SECONDS = 30;

/** One request, before anybody's credentials are in it. */
export interface HttpRequest extends Target {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Exact | undefined;
  /** How long an answer may be, unpacked; 32 MiB without it. */
  readonly maxBytes?: number;
  /** What the request changes on the server, if anything: a lost answer is OUTCOME_UNKNOWN. */
  readonly writes?: WriteKind | undefined;
  /** The time in which a write must leave; one that is over sends nothing. */
  readonly time?: SendingTime | undefined;
  /** Given to a request that is one of several under way. */
  readonly companion?: Companion | undefined;
}

/** An answer outside 2xx, or none, before it is known whether trying again is allowed. */
interface Failure {
  readonly error: CliError;
  /** Wait before the next try in ms; undefined: do not try again. */
  readonly waitMs: number | undefined;
}

/** The API at one endpoint; knows no session. */
export class Client {
  private readonly request: ReturnType<typeof createFetch>["raw"];

  constructor(
    readonly endpoint: Endpoint,
    private readonly runtime: Runtime,
  ) {
    this.request = createFetch({ fetch: runtime.fetch, Headers, AbortController }).raw;
  }

  /**
   * Sends the request and returns the answer's JSON document, token-exact. GETs are repeated at
   * most twice (NET-5); everything else is sent once. Throws the HTTP and network codes of the
   * error table; OUTCOME_UNKNOWN when a write may have been carried out.
   */
  async send(request: HttpRequest): Promise<Exact> {
    const url = this.urlOf(request);
    const stop = this.stopOf(request);
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.attempt(request, url, attempt, stop);
      if (outcome instanceof Exact) return outcome;
      if (outcome.error.code === "RATE_LIMITED") request.companion?.onLimited();
      const mayRepeat =
        request.method === "GET" && attempt < REPEATS && outcome.waitMs !== undefined;
      if (!mayRepeat || stop.aborted) throw outcome.error;
      await this.pause(outcome.waitMs ?? 0, outcome.error, stop);
    }
  }

  /** The address a request goes to. Throws INVALID_ARGUMENT. */
  urlOf(target: Target): URL {
    return urlOf(this.endpoint, target);
  }

  /**
   * Whether the server answers at all, without credentials and without repeating: the status, and
   * its `Date`. The body is not read. Throws the network codes.
   */
  async probe(path: string): Promise<{ readonly status: number; readonly date: string | null }> {
    const timer = new ExchangeTimer(this.runtime.stop);
    const message = messageOf(undefined);
    const url = this.urlOf({ path });
    try {
      const response = await this.exchange({ method: "GET", path }, url, message, timer);
      void response.body?.cancel().catch(() => undefined);
      return { status: response.status, date: response.headers.get("date") };
    } catch (cause) {
      throw this.lost(this.explain(cause, url, message, timer, undefined), cause);
    } finally {
      timer.release();
    }
  }

  /** Fires when the answer is no longer needed. */
  private stopOf({ companion }: HttpRequest): AbortSignal {
    const { stop } = this.runtime;
    return companion?.stop === undefined ? stop : AbortSignal.any([stop, companion.stop]);
  }

  private async pause(waitMs: number, failure: CliError, stop: AbortSignal): Promise<void> {
    this.runtime.log.debug("waiting before the next try", {
      ms: Math.round(waitMs),
      code: failure.code,
    });
    try {
      await this.runtime.sleep(waitMs, stop);
    } catch {
      throw failure;
    }
  }

  private async attempt(
    request: HttpRequest,
    url: URL,
    attempt: number,
    stop: AbortSignal,
  ): Promise<Exact | Failure> {
    const timer = new ExchangeTimer(stop, request.time?.leftMs());
    const startedAt = this.runtime.now();
    const message = messageOf(request.body, request.time);
    let response: Response | undefined;
    try {
      // Else the timer of 0 ms could speak first, and of an answer.
      if (request.time?.isOver === true) throw tooLate();
      response = await this.exchange(request, url, message, timer);
      this.runtime.sawDate?.(response.headers.get("date"));
      const bytes = await readBody(response, timer, request.maxBytes ?? ANSWER_MAX_BYTES);
      this.logAnswer(request, url, response, bytes.length, startedAt);
      return response.ok
        ? answerTo(request, readAnswer(response, bytes, this.baseUrlHint()))
        : this.refused(request, response, bytes, attempt);
    } catch (cause) {
      const failure = this.explain(cause, url, message, timer, response);
      const broken = this.broken(request, cause, failure, response, attempt);
      const { stopped } = timer;
      timer.abandon();
      return stopped ? { ...broken, waitMs: undefined } : broken;
    } finally {
      timer.release();
    }
  }

  /**
   * The one call of `fetch`: once, following nothing, the body unread and as it came (NET-1,
   * NET-4).
   */
  private exchange(
    request: HttpRequest,
    url: URL,
    message: Message,
    timer: ExchangeTimer,
  ): Promise<Response> {
    const own = headersOf(this.runtime.userAgent, request.headers);
    const headers = { ...own, "accept-encoding": ACCEPTED_ENCODINGS };
    const options = {
      ...message.init,
      method: request.method,
      headers: { ...headers, ...message.headers },
      retry: 0 as const,
      redirect: "manual" as const,
      decompress: false,
      responseType: "stream" as const,
      ignoreResponseError: true,
      signal: timer.signal,
    };
    const answer = this.request(url.href, options);
    // Needed for output, and the process would only wait now.
    this.runtime.redactor.prepare();
    this.runtime.waiting?.();
    return answer;
  }

  /** Whose time was over, what was refused here, or what the connection says. */
  private explain(
    cause: unknown,
    url: URL,
    message: Message,
    timer: ExchangeTimer,
    response: Response | undefined,
  ): TransportFailure {
    const evidence = {
      answered: response !== undefined,
      handedOver: message.handedOver(),
      host: url.host,
      proxy: this.runtime.proxyOf(url),
    };
    const refusal = message.isLate() ? tooLate() : cause;
    const failure = timer.failure() ?? (refusal instanceof CliError ? known(refusal) : undefined);
    const explained = explain(cause, evidence);
    const { facts, notSent } = explained;
    return failure === undefined ? explained : { ...failure, facts, notSent };
  }

  /** SEC-2: method, URL without query values, status, timing, sizes. */
  private logAnswer(
    request: HttpRequest,
    url: URL,
    response: Response,
    bytes: number,
    startedAt: number,
  ): void {
    const names = [...new Set(url.searchParams.keys())].join(",");
    const target = `${url.origin}${url.pathname}${names === "" ? "" : `?${names}`}`;
    const ms = this.runtime.now() - startedAt;
    this.runtime.log.debug(`${request.method} ${target}`, { status: response.status, bytes, ms });
  }

  private refused(
    request: HttpRequest,
    response: Response,
    bytes: Uint8Array,
    attempt: number,
  ): Failure {
    const { status, headers } = response;
    const code = this.codeOf(status);
    if (request.writes !== undefined) {
      const document = isJson(headers) ? documentOf(bytes) : undefined;
      if (!isDefiniteRefusal(request.writes, status, document))
        return { error: this.uncertain(response, bytes), waitMs: undefined };
    }
    const wait = retryAfter(headers, this.runtime.now());
    const error = new CliError(code, {
      message: sentenceOf(code, status),
      httpStatus: status,
      ...(request.writes !== undefined ? { retryable: code === "RATE_LIMITED" } : {}),
      ...(wait === undefined ? {} : { retryAfterSeconds: wait.seconds }),
      ...callIdOf(headers),
      ...apiErrorOf(bytes, code, this.runtime.redactor),
      ...(code === "REDIRECT_BLOCKED" ? { details: { location: this.locationOf(headers) } } : {}),
      ...(status === 404 && !isJson(headers)
        ? { hint: `The answer is not from the API. ${this.baseUrlHint()}` }
        : {}),
    });
    return { error, waitMs: this.waitMs(code, status, wait, attempt) };
  }

  /** 407 is a proxy's word only where there is one. */
  private codeOf(status: number): ErrorCode {
    const isProxied = this.runtime.proxyOf(new URL(this.endpoint.origin)) !== undefined;
    return status === 407 && !isProxied ? "HTTP_ERROR" : codeOfStatus(status);
  }

  /** A write's answer that does not say whether it was carried out. */
  private uncertain({ status, headers }: Response, bytes: Uint8Array): CliError {
    const reason = this.codeOf(status);
    const location = reason === "REDIRECT_BLOCKED" ? { location: this.locationOf(headers) } : {};
    return new CliError("OUTCOME_UNKNOWN", {
      message: `The answer, with status ${status}, does not say whether the request was carried out.`,
      httpStatus: status,
      details: { reason, httpStatus: status, ...location },
      ...callIdOf(headers),
      ...apiErrorOf(bytes, reason, this.runtime.redactor),
    });
  }

  /** What to check when something else than the API answers. */
  private baseUrlHint(): string {
    const { origin, basePath } = this.endpoint;
    if (basePath.endsWith("/v1/rest") || origin === V1_ORIGIN) return "Check the base URL.";
    return `Check the base URL: it does not end in /v1/rest, as that of API V2 does (${origin}/v1/rest).`;
  }

  private locationOf(headers: Headers): string | null {
    const location = headers.get("location");
    return location === null ? null : this.runtime.redactor.clean(location).slice(0, 512);
  }

  private waitMs(
    code: string,
    status: number,
    wait: ReturnType<typeof retryAfter>,
    attempt: number,
  ): number | undefined {
    if (wait?.honoured === true && wait.seconds > LONGEST_WAIT_SECONDS) return undefined;
    if (code === "RATE_LIMITED") return wait?.honoured === true ? wait.seconds * 1000 : undefined;
    if (![408, 502, 503, 504].includes(status)) return undefined;
    return wait?.honoured === true ? wait.seconds * 1000 : backoffMs(attempt);
  }

  private broken(
    request: HttpRequest,
    cause: unknown,
    failure: TransportFailure,
    response: Response | undefined,
    attempt: number,
  ): Failure {
    const { code, notSent } = failure;
    const answered = response !== undefined;
    this.runtime.log.debug("the exchange failed", { code, answered });
    if (request.writes !== undefined && !notSent) {
      const facts = { reason: code, ...(answered ? { httpStatus: response.status } : {}) };
      const unknown = "The answer was lost: the request may or may not have been carried out.";
      return {
        error: new CliError("OUTCOME_UNKNOWN", { message: unknown, details: facts, cause }),
        waitMs: undefined,
      };
    }
    const told = request.writes === undefined ? failure : sayingUnsent(failure);
    const error = cause instanceof CliError ? cause : this.lost(told, cause);
    const isPassing = REPEATABLE.includes(code);
    return { error, waitMs: isPassing ? backoffMs(attempt) : undefined };
  }

  /** H01: which host it was, and which proxy is on the way. */
  private lost({ code, message, hint, facts }: TransportFailure, cause: unknown): CliError {
    return new CliError(code, {
      message,
      ...(hint === undefined ? {} : { hint }),
      details: { host: new URL(this.endpoint.origin).host, ...facts },
      cause,
    });
  }
}

const REPEATABLE: readonly string[] = ["CONNECTION_RESET", "NETWORK_ERROR", "DNS_ERROR", "TIMEOUT"];

function known(error: CliError): Pick<TransportFailure, "code" | "message"> {
  return { code: error.code, message: error.message };
}

/** Of a write: the caller need not look what became of it. */
function sayingUnsent(failure: TransportFailure): TransportFailure {
  const { message, hint } = failure;
  const isSaid = /nothing was sent/i.test(`${message} ${hint ?? ""}`);
  return isSaid ? failure : { ...failure, message: message.replace(/\.$/, "; nothing was sent.") };
}

/** 250 ms, 500 ms, … with jitter, so that a fleet does not return in step. */
function backoffMs(attempt: number): number {
  return 250 * 2 ** attempt * (0.5 + Math.random());
}

/** NET-6: an answer to a write must show something of what was done. */
function answerTo({ writes }: HttpRequest, answer: Exact): Exact {
  if (writes !== undefined && saysNothing(answer)) throw invalid("The answer says nothing.");
  return answer;
}
