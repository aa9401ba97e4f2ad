/**
 * Everything that a verb can need, loaded before the first client is heard: a program file that is
 * replaced or removed meanwhile changes nothing.
 */

/** Loads it. */
export async function loadVerbs(): Promise<void> {
  await Promise.all([
    import("../core/acts.ts"),
    import("../core/api/api.ts"),
    import("../core/api/draft.ts"),
    import("../core/api/remember.ts"),
    import("../core/api/reporting.ts"),
    import("../core/auth/program.ts"),
    import("../core/auth/secretcommand.ts"),
    import("../core/belts.ts"),
    import("../core/creations.ts"),
    import("../core/decided.ts"),
    import("../core/login/api.ts"),
    import("../core/meaning/check.ts"),
    import("../core/meaning/evm/content.ts"),
    import("../core/meaning/meaning.ts"),
    import("../core/policy/load.ts"),
    import("../core/policy/open.ts"),
    import("../core/policy/places.ts"),
    import("../core/policy/reads.ts"),
    import("../core/policy/stage.ts"),
    import("../core/policy/stop.ts"),
    import("../core/policy/words.ts"),
    import("../core/reconcile.ts"),
    import("../core/release/gate.ts"),
    import("../core/release/sources.ts"),
    import("../core/sending.ts"),
    import("../core/signing/approval.ts"),
    import("../core/signing/authorise.ts"),
    import("../core/signing/challenge.ts"),
    import("../core/signing/external.ts"),
    import("../core/signing/externalkey.ts"),
    import("../core/signing/keyring.ts"),
    import("../core/signing/likeness.ts"),
    import("../core/signing/noble.ts"),
    import("../core/signing/reviews.ts"),
    import("../core/signing/software.ts"),
    import("../core/state/books.ts"),
    import("../core/state/records.ts"),
    import("../core/state/trail.ts"),
    import("../io/authorities.ts"),
    import("../io/unpack.ts"),
  ]);
}
