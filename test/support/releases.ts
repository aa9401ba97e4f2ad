/** Places where versions are published, for programs under test: none of them looks outward. */

/**
 * A registry and a releases page where nothing is published, so that the version gate is silent;
 * lives as long as the test process.
 */
const nothing = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: () => new Response("", { status: 404 }),
});
nothing.unref();

export const NOTHING_PUBLISHED: Readonly<Record<string, string>> = {
  LEDGER_ENTERPRISE_NPM_REGISTRY: `http://127.0.0.1:${nothing.port}`,
  LEDGER_ENTERPRISE_RELEASES_URL: `http://127.0.0.1:${nothing.port}`,
};
