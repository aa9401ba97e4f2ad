/**
 * Proxy variables and NO_PROXY, read alike in every form of the program (NET-10). Pure: the caller
 * reads the environment.
 */

/** A proxy that connections to an https API go through. */
export interface ProxyServer {
  readonly protocol: "http:" | "https:";
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Both as bytes, each character one byte; undefined when the URL has neither. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
}

/** A proxy as messages name it. */
export interface ProxyName {
  /** The variable that names it. */
  readonly variable: string;
  /** Host and port. */
  readonly host: string;
  /** The connection to the proxy itself is TLS. */
  readonly isSecure: boolean;
}

/**
 * Reads the value of HTTPS_PROXY; undefined for anything but an http or https URL. A `%` without
 * two hexadecimal digits means itself, as curl reads it.
 */
export function parseProxy(text: string): ProxyServer | undefined {
  const value = text.trim();
  if (!/^https?:\/\/[\x21-\x2e\x30-\x7e][\x21-\x7e]*$/i.test(value) || !URL.canParse(value)) {
    return undefined;
  }
  const { protocol, hostname, port, username, password } = new URL(value);
  const isSecure = protocol === "https:";
  return {
    protocol: isSecure ? "https:" : "http:",
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (isSecure ? 443 : 80),
    credentials:
      username === "" && password === ""
        ? undefined
        : { user: decodeBytes(username), password: decodeBytes(password) },
  };
}

/** The same proxy in the one spelling that all runtimes read alike. */
export function spellProxy({ protocol, host, port, credentials }: ProxyServer): string {
  const encoded = (bytes: string): string =>
    bytes.replace(
      /[^A-Za-z0-9]/g,
      (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  const proof =
    credentials === undefined
      ? ""
      : `${encoded(credentials.user)}:${encoded(credentials.password)}@`;
  return `${protocol}//${proof}${nameProxy({ host, port })}`;
}

/** Host and port, as messages name a proxy. */
export function nameProxy({ host, port }: Pick<ProxyServer, "host" | "port">): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function decodeBytes(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/**
 * True when NO_PROXY names the host of `url`: names with all below them, addresses and their
 * ranges, each with or without a port; or `*`.
 */
export function bypasses(list: string, url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port || "443";
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry === "*" || (entry !== "" && matches(entry, host, port)));
}

function matches(entry: string, host: string, port: string): boolean {
  const [, range, bits] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (range !== undefined) return isWithin(host, range, Number(bits));
  const bare = entry.replace(/^\[(.*)\]$/, "$1");
  if (bitsOf(bare) !== undefined) return bitsOf(bare) === bitsOf(host);
  const [, name = "", onlyPort = port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
  const domain = name.replace(/^\*?\./, "").replace(/\.$/, "");
  const isBelow = bitsOf(host) === undefined && host.endsWith(`.${domain}`);
  return onlyPort === port && (host === domain || isBelow);
}

function isWithin(host: string, range: string, bits: number): boolean {
  const [address, network] = [bitsOf(host), bitsOf(range)];
  if (address === undefined || network === undefined) return false;
  if (address.length !== network.length || bits > network.length) return false;
  return address.startsWith(network.slice(0, bits));
}

/** An address as its 32 or 128 bits, or undefined for a name. */
function bitsOf(address: string): string | undefined {
  const isIPv6 = address.includes(":");
  if (!isIPv6 && !/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return undefined;
  const url = `http://${isIPv6 ? `[${address}]` : address}`;
  if (!URL.canParse(url)) return undefined;
  const { hostname } = new URL(url);
  if (!isIPv6)
    return hostname
      .split(".")
      .map((part) => binary(Number(part), 8))
      .join("");
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const [before, after] = [groupsOf(head), groupsOf(tail ?? "")];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].map((group) => binary(group, 16)).join("");
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

function binary(value: number, length: number): string {
  return value.toString(2).padStart(length, "0");
}
