/**
 * The sandbox's page: what a person sees of the workspace, live, with a button for each reviewer.
 * It is plain HTML, CSS and one script, served below an unguessable path, and loads nothing from
 * elsewhere.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Controls } from "../faults.ts";
import { pendingReviews } from "../governance.ts";
import { type Json, textAt } from "../json.ts";
import type { World } from "../routes.ts";
import { choice, insist, Refusal, record, text } from "../schema.ts";
import type { Review, VaultRequest } from "../workspace.ts";
import script from "./client.js" with { type: "text" };
import styles from "./page.css" with { type: "text" };
import markup from "./page.html" with { type: "text" };
import { amountText, currencyName, factsOf, titleOf } from "./words.ts";

const REVIEW = record({ userId: text(), decision: choice("APPROVE", "REJECT") });
/** How often the page looks for a change while somebody watches. */
const LOOK_MS = 250;
/** A comment line on a quiet stream, so that a dead connection is noticed. */
const HEARTBEAT_MS = 15_000;
const MAX_STREAMS = 16;
const LATEST_REQUESTS = 30;
const LATEST_CALLS = 50;
const LATEST_ACCOUNTS = 200;

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

const FILES: Readonly<Record<string, readonly [type: string, content: string]>> = {
  "": ["text/html", markup],
  "page.css": ["text/css", styles],
  "client.js": ["text/javascript", script],
};

/** One page for one sandbox. */
export class Page {
  /** The path of the page: `/<32 hexadecimal digits>/`. */
  readonly path = `/${randomBytes(16).toString("hex")}/`;
  readonly #world: World;
  readonly #controls: Controls;
  readonly #streams = new Set<ServerResponse>();

  constructor(world: World, controls: Controls) {
    this.#world = world;
    this.#controls = controls;
  }

  /** Whether this page serves `path`. */
  serves(path: string): boolean {
    return path.startsWith(this.path);
  }

  /** Answers one call; `document` is its JSON body. Ends streams when `stop` fires. */
  answer(
    { method, path, document }: PageCall,
    request: IncomingMessage,
    response: ServerResponse,
    stop: AbortSignal,
  ): void {
    const name = path.slice(this.path.length);
    const file = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (method === "GET" && file !== undefined) return void sendFile(response, ...file);
    if (method === "GET" && name === "events") return void this.#stream(request, response, stop);
    const id = /^requests\/([^/]+)\/review$/.exec(name)?.[1];
    if (method === "POST" && id !== undefined) {
      return void sendOutcome(response, () => this.#review(decodeURIComponent(id), document()));
    }
    sendOutcome(response, () => {
      throw new Refusal(404, "The page does not have this part");
    });
  }

  #review(requestId: string, body: Json | undefined): void {
    insist(REVIEW, body ?? null, "body");
    const decision = textAt(body ?? null, "decision") === "APPROVE" ? "APPROVE" : "REJECT";
    this.#controls.review(requestId, textAt(body ?? null, "userId") ?? "", decision);
  }

  /** Sends the state now, and again whenever it changes. */
  #stream(request: IncomingMessage, response: ServerResponse, stop: AbortSignal): void {
    if (this.#streams.size >= MAX_STREAMS) {
      return void sendOutcome(response, () => {
        throw new Refusal(403, `At most ${MAX_STREAMS} pages watch at once`);
      });
    }
    this.#streams.add(response);
    response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream; charset=utf-8" });
    let sent = "";
    const send = (): void => {
      const state = JSON.stringify(this.state());
      if (state === sent) return;
      sent = state;
      response.write(`data: ${state}\n\n`);
    };
    send();
    const looking = setInterval(send, LOOK_MS);
    const beating = setInterval(() => response.write(":\n\n"), HEARTBEAT_MS);
    const end = (): void => {
      clearInterval(looking);
      clearInterval(beating);
      this.#streams.delete(response);
      response.end();
    };
    request.on("close", end);
    response.on("close", end);
    stop.addEventListener("abort", end, { once: true });
  }

  /** What the page shows, as text: amounts in their own unit, newest requests and calls first. */
  state(): PageState {
    const { workspace, governance } = this.#world;
    governance.advance();
    const requests = [...workspace.requests.values()].sort((a, b) => b.createdAt - a.createdAt);
    return {
      workspace: workspace.name,
      faults: this.#controls.active(),
      requests: requests.slice(0, LATEST_REQUESTS).map((request) => this.#request(request)),
      accounts: [...workspace.accounts.values()].slice(0, LATEST_ACCOUNTS).map((account) => ({
        name: account.name,
        currency: currencyName(account.currency) ?? "",
        balance: amountText(account.balance, account),
        address: account.address,
      })),
      calls: this.#controls.log
        .slice(-LATEST_CALLS)
        .reverse()
        .map(({ at, status, method, path }) => ({
          at: at.slice(11, 19),
          status: status === undefined ? "none" : `${status}`,
          call: `${method} ${path}`,
        })),
    };
  }

  #request(request: VaultRequest): PageRequest {
    const { workspace } = this.#world;
    const nameOf = (id: string): string => workspace.users.get(id)?.name ?? id;
    const steps = request.steps.map((step, index) => {
      const of = request.reviews.filter(({ stepIndex }) => stepIndex === index);
      const given = of.filter(({ status }) => status !== "PENDING");
      const said = given.map(
        ({ userId, status }) => `${status.toLowerCase()} by ${nameOf(userId)}`,
      );
      const need = `${step.quorum} of ${step.userIds.length}`;
      const what = index === 0 ? "Creation" : `Approval, ${need}`;
      return {
        text: [what, ...said].join(": ").replace(/(?<=by [^:]*): /g, ", "),
        isCurrent: request.state === "PENDING_APPROVAL" && request.currentStepIndex === index,
      };
    });
    const pending = request.state === "PENDING_APPROVAL" ? pendingReviews(request) : [];
    // An API operator decides by a signature, not by a button.
    const isSigner = ({ userId }: Review): boolean =>
      workspace.users.get(userId)?.deviceType === "API";
    const signers = pending.filter(isSigner);
    const people = pending.filter((review) => !isSigner(review));
    return {
      id: request.id,
      title: titleOf(request),
      state: request.state,
      facts: [
        ...factsOf(request, workspace, nameOf(request.createdBy)),
        ...signers.map(({ userId }) => ["Waits for", nameOf(userId)] as const),
      ],
      steps,
      reviewers: people.map(({ userId }) => ({ id: userId, name: nameOf(userId) })),
    };
  }
}

interface PageCall {
  readonly method: string;
  readonly path: string;
  /** The JSON body. Throws Refusal 400, 413. */
  document(): Json | undefined;
}

interface PageRequest {
  readonly id: string;
  readonly title: string;
  readonly state: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly steps: readonly { readonly text: string; readonly isCurrent: boolean }[];
  /** People whose decision the current step still takes. */
  readonly reviewers: readonly { readonly id: string; readonly name: string }[];
}

/** One message of the stream. */
export interface PageState {
  readonly workspace: string;
  readonly faults: readonly string[];
  readonly requests: readonly PageRequest[];
  readonly accounts: readonly Readonly<
    Record<"name" | "currency" | "balance" | "address", string>
  >[];
  readonly calls: readonly Readonly<Record<"at" | "status" | "call", string>>[];
}

function sendFile(response: ServerResponse, type: string, content: string): void {
  response.writeHead(200, { ...HEADERS, "content-type": `${type}; charset=utf-8` });
  response.end(content);
}

/** 200 `{}`, or the refusal as `{"error":"…"}`. */
function sendOutcome(response: ServerResponse, work: () => void): void {
  const [status, document] = ((): [number, object] => {
    try {
      work();
      return [200, {}];
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause;
      return [cause.status, { error: cause.message }];
    }
  })();
  response.writeHead(status, { ...HEADERS, "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(document));
}
