/**
 * What this program remembers between commands so that what is signed is what was meant (SIG-6,
 * SIG-7): the requests it created, and the digests, never the content, of the challenges it
 * received. Private files in the state folder, one fact each, so that processes cannot overwrite
 * each other's.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { CliError } from "../../errors.ts";
import { type Exact, encode, exact, parsePlain } from "../../io/json.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { StateFolder } from "./folder.ts";

/** The workspace a request id belongs to: ids of two workspaces must not meet. */
export interface Scope {
  readonly origin: string;
  readonly basePath: string;
  readonly workspace: string;
}

const Created = v.looseObject({
  version: v.literal(1),
  id: v.string(),
  request: v.string(),
  /** What else was created here and got the same id: none of them can be approved. */
  others: v.optional(v.array(v.string())),
});
const Newest = v.looseObject({
  version: v.literal(1),
  payloadSha256: v.string(),
  seenAt: v.number(),
});
const Seen = v.looseObject({
  version: v.literal(1),
  id: v.string(),
  key: v.string(),
  seenAt: v.number(),
});

const Refused = v.looseObject({ version: v.literal(1), payloadSha256: v.string() });
const Signed = v.looseObject({
  version: v.literal(1),
  payloadSha256: v.string(),
  verdict: v.string(),
  all: v.boolean(),
  fields: v.array(v.number()),
  request: v.nullable(v.string()),
  scope: v.nullable(v.string()),
  seenAt: v.number(),
});

/** A request, and what a challenge of it decides. */
export interface Subject {
  readonly scope: Scope;
  readonly id: string;
  readonly decision: "APPROVE" | "REJECT";
}

/** What was confirmed when a signature was made. */
export interface Confirmed {
  /** The digest, and with it everything. */
  readonly all: boolean;
  /** Numbers of leaves of the challenge, whose values were confirmed one by one. */
  readonly fields: readonly number[];
}

/** A signature that is to be remembered with what was confirmed for it. */
export interface SignedRecord extends Confirmed {
  readonly payloadSha256: string;
  /** What the review came to before it was made. */
  readonly verdict: string;
  /** The session that it was made under, if there was one, and the request, if one was named. */
  readonly scope: Scope | undefined;
  readonly id: string | undefined;
}

const DAY_MS = 24 * 3600 * 1000;
const CREATED_MS = 30 * DAY_MS;
const RECORD_MAX_BYTES = 3 * 1024 * 1024;

/**
 * The records of one state folder. Reading throws SESSION_CORRUPT, SESSION_INSECURE and
 * SESSION_IO for files that cannot be trusted or read.
 */
export class Records {
  constructor(
    private readonly folder: StateFolder,
    private readonly runtime: Pick<Runtime, "now" | "log">,
  ) {}

  /**
   * Keeps what `requests create` sent, for later reviews. Failing to keep it is a warning: the
   * request exists. A record of other content stays beside it, so that no review of that id
   * matches; false says so.
   */
  async keepCreated(scope: Scope, id: string, { text }: Exact): Promise<boolean> {
    const key = keyOf(scope, id);
    let others: string[] = [];
    await this.kept("created", CREATED_MS, async () => {
      const before = await this.read("created", key, Created);
      const known = before === undefined ? [] : [before.request, ...(before.others ?? [])];
      others = known.filter((one) => one !== text);
      const beside = others.length === 0 ? {} : { others };
      return [key, { version: 1, id, request: text, ...beside }];
    });
    return others.length === 0;
  }

  /** The request as it was created here; several where a server gave one id to several. */
  async created(scope: Scope, id: string): Promise<Exact[]> {
    return this.createdByKey(keyOf(scope, id));
  }

  /** Remembers that a challenge for `id` was received, as the newest one, for a day. */
  async keepChallenge(scope: Scope, id: string, payloadSha256: string): Promise<void> {
    const [key, seenAt] = [keyOf(scope, id), this.runtime.now()];
    await this.write("newest", key, { version: 1, payloadSha256, seenAt }, DAY_MS);
    await this.write("seen", payloadSha256, { version: 1, id, key, seenAt }, DAY_MS);
  }

  /** Digest of the newest challenge received for `id`, or undefined when none is remembered. */
  async newestChallenge(scope: Scope, id: string): Promise<string | undefined> {
    const found = await this.read("newest", keyOf(scope, id), Newest);
    return found !== undefined && this.isRecent(found.seenAt) ? found.payloadSha256 : undefined;
  }

  /**
   * The request that a remembered challenge was received for; whether it is `scope`'s `id` is the
   * caller's question.
   */
  async ownerOf(
    payloadSha256: string,
  ): Promise<{ readonly id: string; isFor(scope: Scope, id: string): boolean } | undefined> {
    const found = await this.read("seen", payloadSha256, Seen);
    if (found === undefined || !this.isRecent(found.seenAt)) return undefined;
    return { id: found.id, isFor: (scope, id) => keyOf(scope, id) === found.key };
  }

  /** The same behind a remembered challenge, for signing offline. */
  async createdForChallenge(payloadSha256: string): Promise<Exact[]> {
    const found = await this.read("seen", payloadSha256, Seen);
    return found !== undefined && this.isRecent(found.seenAt) ? this.createdByKey(found.key) : [];
  }

  /**
   * Remembers for 30 days that a review of this challenge found a difference. A file of its own, so
   * that no other review can take it back. Without a subject it is that of the request that the
   * challenge was received for.
   */
  async keepRefused(
    payloadSha256: string,
    decision: Subject["decision"],
    about: Pick<Subject, "scope" | "id"> | undefined,
  ): Promise<void> {
    const seen = about === undefined ? await this.read("seen", payloadSha256, Seen) : undefined;
    const key = about === undefined ? seen?.key : keyOf(about.scope, about.id);
    const record = { version: 1, payloadSha256, id: about?.id ?? seen?.id ?? null, decision };
    const dated = { ...record, seenAt: this.runtime.now() };
    await this.write("refused", payloadSha256, dated, CREATED_MS);
    if (key !== undefined)
      await this.write("refused", digestOf(key, decision, payloadSha256), dated, CREATED_MS);
  }

  /**
   * True when a review of this challenge found a difference: any review, or with a subject one
   * against this request. However old the record is.
   */
  async wasRefused(payloadSha256: string, subject?: Subject): Promise<boolean> {
    const name =
      subject === undefined
        ? payloadSha256
        : digestOf(keyOf(subject.scope, subject.id), subject.decision, payloadSha256);
    return (await this.read("refused", name, Refused)) !== undefined;
  }

  /** Remembers for a day what was confirmed for a signature that was made here. */
  async keepSigned(jws: string, made: SignedRecord): Promise<void> {
    const name = digestOf(jws);
    const before = await this.read("signed", name, Signed);
    const { scope, id, payloadSha256, verdict } = made;
    const record = {
      ...{ version: 1, payloadSha256, verdict, all: made.all || before?.all === true },
      fields: [...new Set([...made.fields, ...(before?.fields ?? [])])],
      request: scope === undefined || id === undefined ? null : keyOf(scope, id),
      scope: scope === undefined ? null : scopeOf(scope),
      seenAt: this.runtime.now(),
    };
    await this.write("signed", name, record, DAY_MS);
  }

  /**
   * What was confirmed when this signature was made here for this request, or for no named one;
   * undefined when nothing of it is remembered.
   */
  async confirmedFor(
    jws: string,
    payloadSha256: string,
    { scope, id }: Pick<Subject, "scope" | "id">,
  ): Promise<Confirmed | undefined> {
    const found = await this.read("signed", digestOf(jws), Signed);
    if (found === undefined || !this.isRecent(found.seenAt)) return undefined;
    if (found.payloadSha256 !== payloadSha256) return undefined;
    const isIts =
      [null, keyOf(scope, id)].includes(found.request) &&
      [null, scopeOf(scope)].includes(found.scope);
    return isIts ? { all: found.all, fields: found.fields } : undefined;
  }

  private async createdByKey(key: string): Promise<Exact[]> {
    const found = await this.read("created", key, Created);
    const texts = found === undefined ? [] : [found.request, ...(found.others ?? [])];
    return texts.map((text) => exact(text, { loneSurrogates: "refuse" }));
  }

  /**
   * A day, in either direction: neither age nor a clock that was set back may revive a challenge.
   */
  private isRecent(seenAt: number): boolean {
    const age = this.runtime.now() - seenAt;
    return age < DAY_MS && age > -DAY_MS;
  }

  private write(
    kind: string,
    name: string,
    record: Record<string, unknown>,
    lifeMs: number,
  ): Promise<void> {
    return this.kept(kind, lifeMs, async () => [name, record]);
  }

  private async kept(
    kind: string,
    lifeMs: number,
    make: () => Promise<readonly [name: string, record: Record<string, unknown>]>,
  ): Promise<void> {
    const below = `records/${kind}`;
    try {
      await this.folder.prepare(below);
      const [name, record] = await make();
      const bytes = new TextEncoder().encode(`${encode(record)}\n`);
      await this.folder.write(`${below}/${name}.json`, bytes);
      await this.sweep(kind, lifeMs);
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      this.runtime.log.warn(
        "RECORD_NOT_KEPT",
        "The record for later reviews could not be stored in the state folder.",
      );
    }
  }

  /**
   * Removes records whose time is over, at most once a day for each kind: looking at thousands of
   * files takes longer than the command that keeps one.
   */
  private async sweep(kind: string, lifeMs: number): Promise<void> {
    const marker = `records/${kind}.swept`;
    const bytes = await this.folder.read(marker, 32);
    const ageMs = this.runtime.now() - Number(new TextDecoder().decode(bytes ?? new Uint8Array()));
    if (ageMs >= 0 && ageMs < DAY_MS) return;
    await this.folder.write(marker, new TextEncoder().encode(`${this.runtime.now()}\n`));
    await this.folder.sweep({ below: `records/${kind}`, olderThanMs: lifeMs, everything: true });
  }

  /**
   * A record that is not ours to trust (wrong owner, mode or content) is refused, not ignored: it
   * guards signatures.
   */
  private async read<S extends v.GenericSchema>(
    kind: string,
    name: string,
    schema: S,
  ): Promise<v.InferOutput<S> | undefined> {
    const bytes = await this.folder.read(`records/${kind}/${name}.json`, RECORD_MAX_BYTES);
    if (bytes === undefined) return undefined;
    const parsed = v.safeParse(schema, parsePlain(bytes));
    if (parsed.success) return parsed.output;
    throw new CliError("SESSION_CORRUPT", {
      message: "A record in the state folder is not one that this program wrote.",
      hint: "Remove the folder 'records' in the state folder, then fetch the challenge again.",
    });
  }
}

function keyOf(scope: Scope, id: string): string {
  return digestOf(scope.origin, scope.basePath, scope.workspace, id);
}

function scopeOf({ origin, basePath, workspace }: Scope): string {
  return digestOf(origin, basePath, workspace);
}

function digestOf(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}
