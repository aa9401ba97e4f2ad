/**
 * Makes the pictures of docs/sandbox.md, by hand: `node scripts/bun.mjs
 * test/sandbox/screenshots.ts`. A folder as argument takes pictures of every width and colour there
 * instead.
 */
import { join } from "node:path";
import { chromium } from "playwright-core";
import { ROOT } from "../../scripts/build.ts";
import { openBench, USDC } from "./bench.ts";
import { BITCOIN, calldata, contractCall, TOKEN } from "./kinds.ts";

const [folder] = process.argv.slice(2);
const IMAGES = join(ROOT, "docs/images");
const pictures = [
  { width: 1280, height: 1000, colorScheme: "light", file: "sandbox-page.png" },
  { width: 390, height: 1100, colorScheme: "dark", file: "sandbox-page-small.png" },
  { width: 1280, height: 1000, colorScheme: "dark", file: undefined },
  { width: 390, height: 1100, colorScheme: "light", file: undefined },
] as const;

await using bench = await openBench();
for (const request of [TOKEN, contractCall(USDC, calldata("095ea7b3", 2n ** 256n - 1n)), BITCOIN]) {
  bench.tick(60);
  const { body } = await bench.raise(request);
  await bench.approve(body.id);
}
await bench.get("/accounts");
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
});
for (const { width, height, colorScheme, file } of pictures) {
  if (folder === undefined && file === undefined) continue;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(bench.description.page);
  await page.locator("#request-list > li").first().waitFor();
  const path =
    folder === undefined ? join(IMAGES, String(file)) : join(folder, `${width}-${colorScheme}.png`);
  await page.screenshot({ path, fullPage: folder !== undefined && width === 390 });
  await page.close();
}
await browser.close();
