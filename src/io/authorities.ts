/**
 * Certificate authorities of NODE_EXTRA_CA_CERTS that the executable's runtime cannot read by
 * itself: it stumbles over a byte order mark.
 */
import { readFile } from "node:fs/promises";

/**
 * All authorities to trust, as PEM, when the runtime would not read the file at `path`; undefined
 * when it does. A file that is not there, or holds no certificate, adds none.
 */
export async function authoritiesWith(path: string): Promise<string[] | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const own = text.match(CERTIFICATE) ?? [];
  if (own.length > 0 && !text.startsWith("\ufeff")) return undefined;
  // biome-ignore lint/style/noRestrictedImports: reads lists of authorities, opens no connection
  const tls = await import("node:tls");
  return [...tls.rootCertificates, ...tls.getCACertificates("system"), ...own];
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
