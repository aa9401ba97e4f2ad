/**
 * Servers inside a network of a test's own: `bun far-api.ts <key file> <certificate file>` prints
 * one line of JSON with their ports and serves until it is ended. Each listens at one address only.
 */
import { readFile } from "node:fs/promises";
import { FAR } from "./namespace.ts";
import { http, RawApi } from "./raw-api.ts";

const [key = "", cert = ""] = await Promise.all(
  process.argv.slice(2).map((path) => readFile(path, "utf8")),
);

async function listen(host: string, identity?: { key: string; cert: string }): Promise<number> {
  const api = await RawApi.start({ host, ...(identity === undefined ? {} : { identity }) });
  api.serve({ "GET /accounts": [http("200 OK", '{"results":[]}')] });
  return Number(new URL(api.url).port);
}

process.stdout.write(
  `${JSON.stringify({
    far4: await listen(FAR.here4, { key, cert }),
    far6: await listen(FAR.here6, { key, cert }),
    near4: await listen("127.0.0.1"),
    near6: await listen("::1"),
  })}\n`,
);
