/** What is published agrees with the one place for names (core/release/names.ts), and with itself. */
import { expect, test } from "bun:test";
import { stampInstaller } from "../../scripts/generate.ts";
import { PUBLISHED_KEY, RELEASES_URL } from "../../src/core/release/names.ts";
import { INSTALLER } from "./machine.ts";
import { PUBLIC_PEM, RELEASE_KEY } from "./releases.ts";

const installer = await Bun.file(INSTALLER).text();

test("INS-3 shellcheck has nothing to say about install.sh", () => {
  const { exitCode, stdout } = Bun.spawnSync(["shellcheck", "--shell=sh", INSTALLER]);
  expect({ exitCode, report: stdout.toString() }).toEqual({ exitCode: 0, report: "" });
});

test("install.sh holds the names and the key that the program holds", () => {
  expect(stampInstaller(installer, PUBLISHED_KEY)).toBe(installer);
  expect(installer).toContain(`\nRELEASES_URL=${RELEASES_URL}\n`);
});

test("a key that is stamped into install.sh is the key, in PEM", () => {
  const [, lines = ""] = /^RELEASE_KEY='([^']+)'$/m.exec(stampInstaller(installer, RELEASE_KEY)) ?? [];
  expect(`-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`).toBe(PUBLIC_PEM);
});

test("INS-3 install.sh calls nothing that it must not", () => {
  expect(installer).not.toMatch(/\bsudo\b|\beval\b|\|\s*(ba|da)?sh\b|\.(bash|zsh)rc|--insecure|--no-check-certificate/);
  expect(installer.trimEnd().split("\n").at(-1)).toBe('{ main "$@"; exit; }');
  expect(installer).toContain("\nset -eu\n");
});
