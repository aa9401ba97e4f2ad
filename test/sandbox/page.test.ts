/** The sandbox's page in a real browser, and what its server refuses. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { ROOT } from "../../scripts/build.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { lacks } from "../support/programs.ts";

const CHROMIUM = "/usr/bin/chromium";
/** Without a network of its own, the browser must not look for one. */
const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

const sandbox: Sandbox = await startSandbox();
const { page: address, control, baseUrls } = sandbox.description;
afterAll(() => sandbox.close());

const json = { "content-type": "application/json" };

describe("the page's server", () => {
  test("the root is 404, and so is a wrong token", async () => {
    const { origin } = new URL(address);
    expect((await fetch(`${origin}/`)).status).toBe(404);
    expect((await fetch(`${origin}/${"0".repeat(32)}/`)).status).toBe(404);
  });

  test("the page forbids everything from elsewhere and leaves no address behind", async () => {
    const { headers } = await fetch(address);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(headers.get("content-security-policy")).not.toMatch(/unsafe|https?:/);
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(await (await fetch(address)).text()).not.toMatch(/https?:\/\//);
  });

  test.each([
    ["page", () => `${address}requests/x/review`],
    ["control path", () => `${control}/log`],
  ])("the %s refuses another origin and another host", async (_name, place) => {
    const post = {
      method: "POST",
      headers: { ...json, origin: "http://evil.example" },
      body: "{}",
    };
    expect((await fetch(place(), post)).status).toBe(403);
    const host = { ...post, headers: { ...json, host: "evil.example" } };
    expect((await fetch(place(), host)).status).toBe(403);
  });

  test("a decision that the workspace does not allow is refused with its reason", async () => {
    const review = async (id: string, body: object): Promise<[number, string]> => {
      const answer = await fetch(`${address}requests/${id}/review`, {
        method: "POST",
        headers: json,
        body: JSON.stringify(body),
      });
      return [answer.status, (await answer.json()).error];
    };
    expect(await review("unknown", { userId: "x", decision: "APPROVE" })).toEqual([
      404,
      "No such request",
    ]);
    expect((await review("unknown", { userId: "x", decision: "MAYBE" }))[0]).toBe(400);
  });

  test("the log of calls does not show the page's token", async () => {
    await fetch(address);
    const log = await (await fetch(`${control}/log`)).text();
    expect(log).not.toContain(new URL(address).pathname.slice(1, -1));
  });

  test("at most 16 pages watch at once", async () => {
    const stop = new AbortController();
    const open = () => fetch(`${address}events`, { signal: stop.signal });
    const streams = await Promise.all(Array.from({ length: 16 }, open));
    expect(streams.map(({ status }) => status)).toEqual(Array.from({ length: 16 }, () => 200));
    expect((await open()).status).toBe(403);
    stop.abort();
  });
});

describe.skipIf(lacks(CHROMIUM))("the page in Chromium", () => {
  let browser: Browser;
  let profile: string;

  beforeAll(async () => {
    const { chromium } = await import("playwright-core");
    profile = await mkdtemp(join(tmpdir(), "chromium-"));
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });

  afterAll(async () => {
    await browser?.close();
    if (profile !== undefined) await rm(profile, { recursive: true, force: true });
  });

  /** A page that fails on any message of the console, and on any call to elsewhere. */
  async function open(options: Parameters<Browser["newPage"]>[0] = {}): Promise<[Page, string[]]> {
    const page = await browser.newPage(options);
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(address) && !request.url().startsWith("data:"))
        complaints.push(request.url());
    });
    await page.goto(address);
    await page.locator("#connection", { hasText: "Live" }).waitFor();
    return [page, complaints];
  }

  test.each([
    { width: 1280, colorScheme: "light" },
    { width: 1280, colorScheme: "dark" },
    { width: 390, colorScheme: "light" },
    { width: 390, colorScheme: "dark" },
  ] as const)(
    "axe finds no violation at $width pixels, $colorScheme, and nothing is wider than the screen",
    async ({ width, colorScheme }) => {
      const [page, complaints] = await open({ viewport: { width, height: 900 }, colorScheme });
      await page.locator("#request-list > li").first().waitFor();
      const axe = await Bun.file(join(ROOT, "node_modules/axe-core/axe.min.js")).text();
      const violations = await page.evaluate(`${axe}; axe.run().then(({ violations }) =>
        violations.map(({ id, nodes }) => id + ": " + nodes.map(({ target }) => target).join()))`);
      expect(violations).toEqual([]);
      const wide = await page.evaluate("document.documentElement.scrollWidth");
      expect(wide).toBe(width);
      expect(complaints).toEqual([]);
      await page.close();
    },
    60_000,
  );

  test("a request appears, a reviewer approves it by keyboard, and its state changes without a reload", async () => {
    const [page, complaints] = await open();
    const { operator, workspace } = sandbox.description;
    const post = async (
      path: string,
      body: object,
      token?: string,
    ): Promise<Record<string, never>> => {
      const headers = {
        ...json,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      };
      const answer = await fetch(`${baseUrls.v2}${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      return (await answer.json()) as Record<string, never>;
    };
    const { apiKeyId, apiKeySecret } = operator;
    const login = await post("/auth/token", { workspace, apiKeyId, apiKeySecret });
    const data = { name: "Evening shift", userIds: [operator.userId] };
    const request = {
      type: "CREATE_GROUP",
      data,
      note: { title: "<img src=x onerror=alert(1)>", content: "x" },
    };
    const { id } = await post("/requests", { request }, login.accessToken);
    const card = page.locator(`[data-id="${id}"]`);
    await card.getByText("Evening shift").waitFor();
    await card.getByText("<img src=x onerror=alert(1)>").waitFor();
    // The creator's own step is its own to sign; the people decide afterwards.
    sandbox.control.review(id ?? "", operator.userId, "APPROVE");
    for (;;) {
      const button = card.getByRole("button", { name: /^Approve/ }).first();
      await button
        .or(card.getByText(/^(Approved|Active)$/))
        .first()
        .waitFor();
      if ((await button.count()) === 0) break;
      const pressed = card.locator(`[data-key="${await button.getAttribute("data-key")}"]`);
      await button.focus();
      await page.keyboard.press("Enter");
      // Who has decided has no button any more.
      await pressed.waitFor({ state: "detached" });
    }
    await card.getByText(/^(Approved|Active)$/).waitFor();
    expect(await page.locator("#news").textContent()).toMatch(/Create group: (Approved|Active)/);
    expect(complaints).toEqual([]);
    await page.close();
  }, 60_000);

  test("a fault that the control path switched on is seen, and goes", async () => {
    const [page] = await open();
    await fetch(`${control}/faults`, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ match: { path: "/accounts*" }, status: 503 }),
    });
    await page.getByText("any call /accounts*: status 503 (1 more)").waitFor();
    await fetch(`${baseUrls.v2}/accounts`);
    await page.locator("#faults").waitFor({ state: "hidden" });
    await page.getByText("GET /v1/rest/accounts").first().waitFor();
    await page.close();
  }, 60_000);

  test("a sandbox that stops is said", async () => {
    const other = await startSandbox();
    const page = await browser.newPage();
    await page.goto(other.description.page);
    await page.locator("#connection", { hasText: "Live" }).waitFor();
    await other.close();
    await page.getByText("The sandbox does not answer.").waitFor();
    await page.close();
  }, 60_000);
});
