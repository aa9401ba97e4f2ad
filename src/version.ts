/** Name, version and install channel. The build replaces the latter two; a run from source is a development build. */
declare const __VERSION__: string | undefined;
declare const __CHANNEL__: string | undefined;

export const PROGRAM = "ledger-enterprise-cli";

export type Channel = "binary" | "npm" | "source";

export const VERSION: string = typeof __VERSION__ === "string" ? __VERSION__ : "0.0.0-dev";
export const CHANNEL: Channel = typeof __CHANNEL__ === "string" ? (__CHANNEL__ as Channel) : "source";
