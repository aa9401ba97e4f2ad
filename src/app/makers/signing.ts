/** The operator's key, and what is examined before it signs. */
import type { Reader } from "../../core/api/api.ts";
import { missingSigner } from "../../core/auth/faults.ts";
import type { ExaminationHost } from "../../core/signing/authorise.ts";
import type { KeyHolder, Keyring } from "../../core/signing/keyring.ts";
import type { Run } from "../occasion.ts";
import { noteRefusal, whoseOf } from "./books.ts";
import { readerOf, recordsOf } from "./reads.ts";

/** What holds the operator's key: the configuration itself, or a program that it names. */
export async function openKey(
  run: Pick<Run, "config" | "program" | "redactor">,
): Promise<KeyHolder> {
  const { config, redactor } = run;
  const { configuredKey } = await import("../../core/signing/keyring.ts");
  const program = config.signer();
  if (program === undefined && config.publicKey() === undefined)
    return configuredKey(config, redactor);
  const { externalKey, statedKey } = await import("../../core/signing/externalkey.ts");
  return program === undefined
    ? statedKey(config, configuredKey(config, redactor))
    : externalKey(config, program, run.program);
}

/** The public key of what the external signer holds, once the configured one, if any, agrees. */
export async function askSignerKey({ config, program }: Run): Promise<Uint8Array> {
  const text = config.signer();
  if (text === undefined) throw missingSigner();
  const { externalKey } = await import("../../core/signing/externalkey.ts");
  return externalKey(config, text, program).ask();
}

/** Challenges, and their review. */
export async function reviewsOf(run: Run) {
  const { createReviews } = await import("../../core/signing/reviews.ts");
  const { remembering } = await import("../../core/api/remember.ts");
  const reader = remembering(await readerOf(run));
  const records = await recordsOf(run);
  const summaryOf = summaryBy(run, reader);
  return createReviews({
    ...{ reader, records, journalled: journalledBy(run) },
    summaryOf: (challenge) => summaryOf(challenge, true),
  });
}

/** Everything up to a signature or a decision, without what could make one. */
export async function examinationOf(run: Run) {
  const { createExamination } = await import("../../core/signing/authorise.ts");
  const { createReader } = await import("../../core/api/api.ts");
  return createExamination(await examinedBy(run, createReader(run.access())));
}

/** Decides about requests, after that examination. */
export async function authorityOf(run: Run) {
  const { createAuthority } = await import("../../core/signing/authorise.ts");
  const { createApi } = await import("../../core/api/api.ts");
  const api = createApi(run.access(), await run.acts());
  return createAuthority({
    ...(await examinedBy(run, api)),
    ...{ api, keyring: await keyringOf(run) },
  });
}

/** Hands out signatures, after that examination; it cannot send. */
export async function signingOf(run: Run) {
  const { createSigning } = await import("../../core/signing/authorise.ts");
  const { createReader } = await import("../../core/api/api.ts");
  const host = await examinedBy(run, createReader(run.access()));
  return createSigning({ ...host, keyring: await keyringOf(run) });
}

/** What an examination by this reader needs. */
async function examinedBy(run: Run, reads: Reader): Promise<ExaminationHost> {
  const { remembering } = await import("../../core/api/remember.ts");
  const reader = remembering(reads);
  const publicKey = async () => (await run.key()).publicKey();
  const records = await recordsOf(run);
  const summaryOf = summaryBy(run, reader);
  const onlyNarrows = run.service !== undefined;
  const kept = { records, journalled: journalledBy(run), told: toldBy(run, reader) };
  const refused = refusedBy(run);
  const common = { reader, ...kept, refused, summaryOf, onlyNarrows };
  return { ...common, sessions: run.sessions(), log: run.log, publicKey };
}

/** What challenges mean; how that is found out is loaded while the server is asked for one. */
function summaryBy(run: Run, reader: Reader): ExaminationHost["summaryOf"] {
  const load = () => import("../../core/meaning/meaning.ts");
  run.whileWaiting(load);
  return async ({ document }, mayRead) =>
    (await load()).summaryOfChallenge(document, mayRead ? reader : undefined);
}

/** What the journal has of a request that was created here. */
function journalledBy(run: Run): NonNullable<ExaminationHost["journalled"]> {
  return async (scope, id) => {
    const { journalled } = await import("../../core/creations.ts");
    const books = await run.books().catch(() => undefined);
    return books && journalled(books, scope, id);
  };
}

/** Writes to the audit trail what an examination refused. */
function refusedBy(run: Run): NonNullable<ExaminationHost["refused"]> {
  return async (cause, id) => {
    const session = await run
      .sessions()
      .read()
      .catch(() => undefined);
    await noteRefusal(run, cause, { session, request: { id } });
  };
}

/** What the journal says of a decision that the API refused. */
function toldBy(run: Run, reader: Reader): NonNullable<ExaminationHost["told"]> {
  return async (cause, id) => {
    const { isRefusal, tellDecision } = await import("../../core/decided.ts");
    if (!isRefusal(cause)) return cause;
    const books = await run.books().catch(() => undefined);
    const session = await reader.session().catch(() => undefined);
    if (books === undefined || session === undefined) return cause;
    return tellDecision(cause, books, session, { requestId: id, uid: whoseOf(run) });
  };
}

async function keyringOf(run: Run): Promise<Keyring> {
  const { Keyring } = await import("../../core/signing/keyring.ts");
  return new Keyring(await run.key(), await run.acts());
}
