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

const Created = v.looseObject({ version: v.literal(1), id: v.string(), request: v.string() });
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
   * request exists.
   */
  async keepCreated(scope: Scope, id: string, request: Exact): Promise<void> {
    await this.write(
      "created",
      keyOf(scope, id),
      { version: 1, id, request: request.text },
      CREATED_MS,
    );
  }

  /** The request as it was created here, or undefined. */
  async created(scope: Scope, id: string): Promise<Exact | undefined> {
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

  /** The created request behind a remembered challenge, for signing offline. */
  async createdForChallenge(payloadSha256: string): Promise<Exact | undefined> {
    const found = await this.read("seen", payloadSha256, Seen);
    return found !== undefined && this.isRecent(found.seenAt)
      ? this.createdByKey(found.key)
      : undefined;
  }

  private async createdByKey(key: string): Promise<Exact | undefined> {
    const found = await this.read("created", key, Created);
    return found === undefined ? undefined : exact(found.request, { loneSurrogates: "refuse" });
  }

  /**
   * A day, in either direction: neither age nor a clock that was set back may revive a challenge.
   */
  private isRecent(seenAt: number): boolean {
    const age = this.runtime.now() - seenAt;
    return age < DAY_MS && age > -DAY_MS;
  }

  private async write(
    kind: string,
    name: string,
    record: Record<string, unknown>,
    lifeMs: number,
  ): Promise<void> {
    const below = `records/${kind}`;
    try {
      await this.folder.prepare(below);
      const bytes = new TextEncoder().encode(`${encode(record)}\n`);
      await this.folder.write(`${below}/${name}.json`, bytes);
      await this.sweep(kind, lifeMs);
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      this.runtime.log.warn(
        "RECORD_NOT_KEPT",
        "What later reviews compare with could not be stored in the state folder.",
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
  return createHash("sha256")
    .update([scope.origin, scope.basePath, scope.workspace, id].join("\n"))
    .digest("hex");
}
