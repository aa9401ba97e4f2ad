/**
 * Name, version, install channel and platform. The build replaces the latter three; a run from
 * source is a development build.
 */
declare const __VERSION__: string | undefined;
declare const __CHANNEL__: string | undefined;
declare const __TARGET__: string | undefined;

/** The name of the program, as typed. */
export const PROGRAM = "ledger-enterprise-cli";

/** How this copy was installed, which decides how it is upgraded. */
export type Channel = "binary" | "npm" | "source";

/** Strict SemVer; `0.0.0-dev` from source, which is never outdated. */
export const VERSION: string = typeof __VERSION__ === "string" ? __VERSION__ : "0.0.0-dev";
/** How this copy was installed. */
export const CHANNEL: Channel =
  typeof __CHANNEL__ === "string" ? (__CHANNEL__ as Channel) : "source";
/**
 * Which of the executables this is, such as `linux-x64-musl`; undefined for a package and for the
 * source.
 */
export const TARGET: string | undefined = typeof __TARGET__ === "string" ? __TARGET__ : undefined;
