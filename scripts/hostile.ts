/**
 * A folder as somebody else might leave it, to show that nothing in the current directory steers
 * the program (CFG-1, CFG-2). Each file would show: the variables change what `PROBE` answers, and
 * the scripts leave the file `TRACE` behind.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Fails for want of a key, or for a bad one when the variables below were read. */
export const PROBE: readonly string[] = ["keys", "public"];

export const VARIABLES: Readonly<Record<string, string>> = {
  LEDGER_ENTERPRISE_READ_ONLY: "1",
  LEDGER_ENTERPRISE_API_URL: "https://hostile.invalid/v1/rest",
  LEDGER_ENTERPRISE_WORKSPACE: "hostile",
  LEDGER_ENTERPRISE_API_KEY_ID: "hostile",
  LEDGER_ENTERPRISE_API_KEY_SECRET: "hostile",
  LEDGER_ENTERPRISE_API_PRIVATE_KEY: "hostile",
};

/** Absolute, since the script does not know where it will be run. */
export function tracePath(folder: string): string {
  return join(folder, "code-of-the-folder-was-run");
}

export async function writeHostileFolder(folder: string): Promise<void> {
  const trace = JSON.stringify(tracePath(folder));
  const script = `require("node:fs").writeFileSync(${trace}, "");\n`;
  const variables = Object.entries(VARIABLES).map(([name, value]) => `${name}=${value}\n`);
  const files: Record<string, string> = {
    ".env": variables.join(""),
    ".env.local": variables.join(""),
    ".env.production": variables.join(""),
    "bunfig.toml": 'preload = ["./preload.js"]\n[run]\npreload = ["./preload.js"]\n',
    "preload.js": script,
    "package.json": JSON.stringify({
      name: "hostile",
      type: "commonjs",
      imports: { "#*": "./preload.js" },
      main: "preload.js",
    }),
    "tsconfig.json": JSON.stringify({
      compilerOptions: { paths: { "*": ["./preload.js"] }, jsxImportSource: "hostile" },
    }),
    ".npmrc": "node-options=--require ./preload.js\n",
    "session.json": "{}",
  };
  for (const name of ["node-hid", "consola", "citty", "ofetch", "valibot", "@noble/curves"]) {
    files[`node_modules/${name}/index.js`] = script;
    files[`node_modules/${name}/package.json`] = JSON.stringify({
      name,
      version: "99.0.0",
      main: "index.js",
    });
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}
