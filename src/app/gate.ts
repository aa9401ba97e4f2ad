/** This program beside the newest one: the version gate, and upgrading. */
import { parseEndpoint } from "../core/auth/endpoint.ts";
import { type Gate, requireCurrent } from "../core/release/gate.ts";
import { NPM_REGISTRY, RELEASE_KEY, RELEASES_URL } from "../core/release/names.ts";
import type { Addresses } from "../core/release/sources.ts";
import type { Installation } from "../core/release/upgrade.ts";
import { CHANNEL, TARGET, VERSION } from "../version.ts";
import type { Run } from "./occasion.ts";

/**
 * The version gate, before anything that a command needs is made (VER-5). Throws VERSION_OUTDATED,
 * and the codes of a mirror or proxy.
 */
export function passGate(run: Run): Promise<void> {
  return requireCurrent(gateOf(run));
}

/** What the gate looks at in this run. */
export function gateOf({ config, runtime, state }: Run): Gate {
  return {
    version: VERSION,
    channel: CHANNEL,
    addresses: () => addressesOf(config),
    sources() {
      config.checkProxies();
      return import("../core/release/sources.ts");
    },
    state,
    runtime,
  };
}

/** The program that `upgrade` replaces. Throws INVALID_URL, INSECURE_URL, INVALID_PROXY. */
export function installationOf({ config, runtime, context }: Run): Installation {
  config.checkProxies();
  const { executable, platform } = context;
  const addresses = addressesOf(config);
  const [version, channel, target, releaseKey] = [VERSION, CHANNEL, TARGET, RELEASE_KEY];
  return { version, channel, target, releaseKey, executable, platform, addresses, runtime };
}

/**
 * Where newer versions are looked for: the published places, or the mirrors that are configured.
 * Throws INVALID_URL, INSECURE_URL.
 */
function addressesOf(config: Run["config"]): Addresses {
  const place = (name: "NPM_REGISTRY" | "RELEASES_URL", published: string): string => {
    const { origin, basePath } = parseEndpoint(
      config.plain(name) ?? published,
      `LEDGER_ENTERPRISE_${name}`,
    );
    return `${origin}${basePath}`;
  };
  return {
    registry: place("NPM_REGISTRY", NPM_REGISTRY),
    releases: place("RELEASES_URL", RELEASES_URL),
  };
}
