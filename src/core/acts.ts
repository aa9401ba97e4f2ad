/**
 * The only door for what changes something on the server and for every signature: policy, then
 * journal and audit, then the work, then its outcome. A write passes it in `api/connection.ts`, a
 * signature in `signing/keyring.ts`; test/layers.test.ts finds a way around.
 */
import { CliError } from "../errors.ts";
import type { Exact } from "../io/json.ts";
import type { SendingTime } from "./sending.ts";
import type { Session } from "./state/session.ts";

/** What a write does. The tables of operations name it for each operation that writes. */
export type WriteKind = "create" | "approve" | "reject" | "deviceApprove";

/** What is signed, or what a signature that is sent is over: a decoded challenge fits. */
export interface SignedContent {
  /** The very bytes under the signature. */
  readonly bytes: Uint8Array;
  /** 64 hexadecimal digits in lower case. */
  readonly payloadSha256: string;
  /** The JSON object in the bytes; undefined where they hold something else. */
  readonly document: Exact | undefined;
}

/** What every intent says. */
interface Common {
  /** The command in words, such as `requests approve api`. */
  readonly command: string;
  /** Whose session it is; undefined for a signature that is made without one. */
  readonly session: Session | undefined;
  /** The request that it is about; undefined for a new one and for a challenge without a name. */
  readonly requestId: string | undefined;
  /** What is approved or rejected; undefined where nothing of it is known (create, a device). */
  readonly content: SignedContent | undefined;
  /** The key of the record that is repeated on purpose (`--again`). */
  readonly again?: string | undefined;
}

/** What a write says about itself beside its body. */
export interface Creation {
  /** The key that its note already has in it, or that its answer is to name. */
  readonly key?: string | undefined;
  /** Whether the note has the key in it. */
  readonly tagged?: boolean | undefined;
  readonly again?: string | undefined;
}

/** A call that changes something, just before it is sent. */
export interface WriteIntent extends Common, Creation {
  readonly kind: WriteKind;
  readonly session: Session;
  /** Name of the operation in the tables, such as `requests.create`. */
  readonly operation: string;
  /** The body exactly as it is sent. */
  readonly body: Exact | undefined;
}

/** A signature, just before the key is asked for. */
export interface SignIntent extends Common {
  readonly kind: "sign";
  /** What the signature is for; `unknown` for `requests sign`, which only hands it out. */
  readonly purpose: "approve" | "reject" | "unknown";
  readonly content: SignedContent;
  /** Fields of the content without evidence; absent where there was no review. */
  readonly unverified?: readonly string[] | undefined;
}

/** Something that is about to be sent or signed, and everything that can be decided from. */
export type Intent = WriteIntent | SignIntent;

/** How the work ended. */
export type Outcome =
  /** Carried out; `requestId` is the new one's for a create, undefined when the answer has none. */
  | { readonly state: "done"; readonly requestId: string | undefined }
  /** Definitely not carried out. */
  | { readonly state: "refused"; readonly error: CliError }
  /** Perhaps carried out: OUTCOME_UNKNOWN, or an unexpected failure. */
  | { readonly state: "unknown"; readonly error: CliError | undefined };

/** The checks between an intent and its work. */
export interface Stages {
  /**
   * Returns when the act is allowed; throws when not. Also asked by dry runs, so it keeps nothing.
   */
  decide(intent: Intent): Promise<void>;
  /** Keeps that `decide` refused an act that was meant. Never throws. */
  denied(intent: Intent, cause: unknown): Promise<void>;
  /**
   * Puts the intent on disk, synced, and returns its key; undefined where none is kept. `time` is
   * that of a write. Throws when it cannot be kept: then nothing is sent or signed.
   */
  open(intent: Intent, time?: SendingTime): Promise<string | undefined>;
  /**
   * Adds the outcome. Never throws: what was done stays done. Returns the failure that a success
   * turns out to be when the journal contradicts it.
   */
  close(intent: Intent, key: string | undefined, outcome: Outcome): Promise<CliError | undefined>;
}

/** Allows everything and keeps nothing. */
export const NO_STAGES: Stages = {
  decide: async () => undefined,
  denied: async () => undefined,
  open: async () => undefined,
  close: async () => undefined,
};

/** A write that was carried out in this run. */
export interface Deed {
  readonly kind: WriteKind;
  readonly requestId: string | undefined;
  readonly key: string | undefined;
}

/** What the acts of one run need. */
export interface ActsHost {
  /** The words of the command, such as `requests approve api`. */
  readonly command: string;
  /** Gets each write that was carried out, in order: what must not be lost with stdout. */
  readonly deeds: Deed[];
  /** Makes the stages when the first act wants them. */
  stages(): Promise<Stages>;
  /** Asks a person, once the policy allows the act. Throws when the person does not agree. */
  confirm?: ((intent: Intent) => Promise<void>) | undefined;
  /** Told just before a write is sent: from then on it must not be torn off. */
  sending?: (() => void) | undefined;
  /** The time in which a write must leave; begins when it is called. Absent: no end. */
  sendingTime?: (() => SendingTime) | undefined;
  /** Runs the act while no other process of this state folder carries one out. */
  alone?: (<T>(act: () => Promise<T>) => Promise<T>) | undefined;
}

/** What is done once its intent is on the disk. */
export type Work<T> = (key: string | undefined, time: SendingTime | undefined) => Promise<T>;

/** The acts of one run. */
export class Acts {
  private made: Promise<Stages> | undefined;

  constructor(private readonly host: ActsHost) {}

  /** The words of the command, for intents. */
  get command(): string {
    return this.host.command;
  }

  private stages(): Promise<Stages> {
    this.made ??= this.host.stages();
    return this.made;
  }

  /** Throws what `perform` would throw before anything is kept; for dry runs. */
  async decide(intent: Intent): Promise<void> {
    await (await this.stages()).decide(intent);
  }

  /**
   * Carries out `work` once, if it is allowed and its intent was kept; a write must leave in the
   * time that the work is given. `requestIdOf` finds the id of a new request in what the work
   * returns. Failures of the work have the intent's key in `details.key`. Throws what the stages
   * and the work throw.
   */
  async perform<T>(
    intent: Intent,
    work: Work<T>,
    requestIdOf: (result: T) => string | undefined = () => intent.requestId,
  ): Promise<T> {
    const stages = await this.stages();
    await this.allow(stages, intent);
    const act = () => this.carryOut(stages, intent, work, requestIdOf);
    return this.host.alone === undefined ? act() : this.host.alone(act);
  }

  /** The policy decides again after a person did: minutes may have passed. */
  private async allow(stages: Stages, intent: Intent): Promise<void> {
    const decide = async (): Promise<void> => {
      try {
        await stages.decide(intent);
      } catch (cause) {
        await stages.denied(intent, cause);
        throw cause;
      }
    };
    await decide();
    if (this.host.confirm === undefined) return;
    await this.host.confirm(intent);
    await decide();
  }

  private async carryOut<T>(
    stages: Stages,
    intent: Intent,
    work: Work<T>,
    requestIdOf: (result: T) => string | undefined,
  ): Promise<T> {
    // Begins before the intent has its time: what it says ends later.
    const time = intent.kind === "sign" ? undefined : this.host.sendingTime?.();
    const key = await stages.open(intent, time);
    let result: T;
    try {
      if (intent.kind !== "sign") this.host.sending?.();
      result = await work(key, time);
    } catch (cause) {
      await stages.close(intent, key, outcomeOf(cause));
      throw withKey(cause, key);
    }
    const requestId = requestIdOf(result);
    const doubt = await stages.close(intent, key, { state: "done", requestId });
    if (doubt !== undefined) throw withKey(doubt, key);
    if (intent.kind !== "sign") this.host.deeds.push({ kind: intent.kind, requestId, key });
    return result;
  }
}

function outcomeOf(cause: unknown): Outcome {
  if (!(cause instanceof CliError)) return { state: "unknown", error: undefined };
  return { state: cause.code === "OUTCOME_UNKNOWN" ? "unknown" : "refused", error: cause };
}

/** The failure with the intent's key; after OUTCOME_UNKNOWN the hint names what to do with it. */
function withKey(cause: unknown, key: string | undefined): unknown {
  if (key === undefined || !(cause instanceof CliError)) return cause;
  const { details } = cause.facts;
  const known = typeof details === "object" && details !== null ? details : {};
  const hint =
    cause.code === "OUTCOME_UNKNOWN"
      ? {
          hint: `Do not repeat. Run 'requests reconcile --key ${key}': it finds the outcome.`,
        }
      : {};
  return new CliError(cause.code, { ...cause.facts, ...hint, details: { ...known, key }, cause });
}
