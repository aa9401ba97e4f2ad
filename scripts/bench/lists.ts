/**
 * A server of lists, in a process of its own: what it does is not counted while the benchmark reads
 * the output of the subject.
 */
const ORIGIN = /^http\S+$/;

/** Starts it with that number of accounts; each page has 30 of them and takes `pageMs`. */
export async function startLists(
  accounts: number,
  pageMs = 1,
): Promise<{ readonly url: string; stop(): void }> {
  const child = Bun.spawn([process.execPath, import.meta.path, String(accounts), String(pageMs)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await child.stdout.getReader().read();
  const url = new TextDecoder().decode(value).trim();
  if (!ORIGIN.test(url)) throw new Error("the server of lists did not start");
  return { url, stop: () => child.kill() };
}

const TOKENS = {
  accessToken: "bench-access-token",
  expiresInSeconds: 3600,
  refreshToken: "bench-refresh-token",
  refreshExpiresInSeconds: 7200,
};
const JSON_HEADERS = { headers: { "content-type": "application/json" } };
const PAGE_SIZE = 30;
const BIG = 60_000;

function account(at: number): string {
  return `{"id":"e5a8f6f0-2222-4f6e-8f5a-${String(at).padStart(12, "0")}","legacyId":${at},"name":"Account ${at}","currency":"ethereum","network":"ethereum","contractAddress":null,"index":${at},"derivationPath":"44'/60'/${at}'","status":"ACTIVE","createdAt":"2026-05-13T09:30:00.000Z","updatedAt":"2026-05-13T09:30:00.000Z","balance":{"total":"12345678901234567890${at}","pending":"0"}}`;
}

function page(number: number, size: number, total: number): string {
  const from = (number - 1) * size;
  const items = Array.from({ length: Math.min(size, total - from) }, (_, at) => account(from + at));
  const next = from + size < total ? number + 1 : null;
  return `{"page":${number},"next":${next},"prev":null,"pageSize":${PAGE_SIZE},"total":${total},"results":[${items.join(",")}]}`;
}

if (import.meta.main) {
  const [accounts = 0, pageMs = 0] = process.argv.slice(2).map(Number);
  let big: string | undefined;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/auth/token") return Response.json(TOKENS);
      if (url.pathname === "/users/me") return Response.json({ id: "u1", name: "bench" });
      if (url.pathname === "/big") {
        big ??= page(1, BIG, BIG);
        return new Response(big, JSON_HEADERS);
      }
      if (pageMs > 0) await Bun.sleep(pageMs);
      const number = Number(url.searchParams.get("page") ?? 1);
      return new Response(page(number, PAGE_SIZE, accounts), JSON_HEADERS);
    },
  });
  process.stdout.write(`http://127.0.0.1:${server.port}\n`);
}
